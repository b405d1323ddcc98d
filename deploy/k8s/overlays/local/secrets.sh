#!/bin/sh
# Make the secrets of the local overlay from what `python deploy/compose/prepare.py` has made.
set -eu
cd "$(dirname "$0")/../../../compose/secrets"
. ./annals.env
kubectl="kubectl --namespace annals"
secret() { $kubectl create secret generic "$@" --dry-run=client --output yaml | kubectl apply --filename -; }

kubectl create namespace annals --dry-run=client --output yaml | kubectl apply --filename -
for service in accounts analytics billing leads pipeline support workplace; do
  secret "annals-$service-database" --from-literal="username=annals_$service" --from-literal="password=$DATABASE_PASSWORD"
  secret "annals-$service" --from-literal="key-encryption-key=$KEY_ENCRYPTION_KEY" --from-file=service-token
done
secret annals-postgres --from-literal="postgres-password=$POSTGRES_PASSWORD" --from-literal="database-password=$DATABASE_PASSWORD"
secret annals-broker-default-user --from-literal=username=annals --from-literal="password=$BROKER_PASSWORD" \
  --from-literal=host=annals-broker --from-literal=port=5672
$kubectl create configmap annals-token-keys --from-file=token-keys.json --dry-run=client --output yaml | kubectl apply --filename -
