"""The API: contracts written from commands and queries, served over gRPC.

`protogen` writes the contract, `binder` serves it, `codec` and `errors` translate, `identity` and
`rights` say who may call what. The gateway speaks the same contract from the other side.
"""
