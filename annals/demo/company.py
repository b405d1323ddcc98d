"""Hengwan Instruments: a firm that sells and services laboratory equipment in China and abroad."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from annals.demo.act import ADMINISTRATOR, Script
from annals.demo.diary import Place

__all__ = [
    "BOOKS",
    "DORMANT_HELD",
    "DORMANT_PER_DAY",
    "FINANCE",
    "MARKETING",
    "POOL_DORMANT",
    "POOL_EVENTS",
    "POOL_PUBLIC",
    "PRODUCTS",
    "RECYCLED_AFTER",
    "REGIONS",
    "SERVICE_MANAGER",
    "SHANGHAI",
    "SLA_GOLD",
    "SLA_STANDARD",
    "STAFF",
    "Employee",
    "Product",
    "Region",
    "boss_of",
    "exchange_rates",
    "found",
]

_FINANCE, _SERVICE, _MARKETING = "finance-department", "service-department", "marketing-department"

SHANGHAI = Place("Asia/Shanghai", "CN")
SINGAPORE = Place("Asia/Singapore", "SG")
LONDON = Place("Europe/London", "GB")
MADRID = Place("Europe/Madrid", "ES")

POOL_PUBLIC, POOL_EVENTS, POOL_DORMANT = "pool-public", "pool-events", "pool-dormant"
RECYCLED_AFTER = 30
"""Days without follow-up after which a lead goes back to its pool."""
DORMANT_PER_DAY, DORMANT_HELD = 2, 3
SLA_STANDARD, SLA_GOLD = "sla-standard", "sla-gold"


@dataclass(frozen=True)
class Region:
    """A market, who works it, and what its customers are like."""

    key: str
    label: str
    unit: str
    place: Place
    language: str
    countries: tuple[str, ...]
    currency: str
    share: int
    manager: str
    reps: tuple[str, ...]
    agent: str
    """Who answers its customers' tickets."""


REGIONS = (
    Region(
        "east", "华东", "sales-east", SHANGHAI, "zh", ("CN",), "CNY", 30,
        "gu-mingyuan", ("chen-yulan", "wang-haoran", "xu-jiaying"), "deng-lina",
    ),
    Region(
        "south", "华南", "sales-south", SHANGHAI, "zh", ("CN",), "CNY", 21,
        "huang-zhiqiang", ("liang-meiqi", "he-junjie"), "ye-zihan",
    ),
    Region(
        "north", "华北", "sales-north", SHANGHAI, "zh", ("CN",), "CNY", 14,
        "zhao-liwei", ("sun-yue", "guo-tianyu"), "ye-zihan",
    ),
    Region(
        "apac", "Asia Pacific", "sales-apac", SINGAPORE, "en", ("SG", "AU"), "USD", 12,
        "daniel-koh", ("grace-tan", "oliver-hughes"), "deng-lina",
    ),
    Region(
        "europe", "Europe", "sales-europe", LONDON, "en", ("IE", "NL"), "EUR", 11,
        "fiona-gallagher", ("james-whitfield", "emma-hartley"), "ben-carver",
    ),
    Region(
        "hispanic", "España y Latinoamérica", "sales-iberia", MADRID, "es", ("ES", "MX"), "EUR", 12,
        "carmen-ortega", ("javier-molina", "lucia-fernandez"), "sofia-ramirez",
    ),
)  # fmt: skip

MARKETING = ("lin-xiaoyu", "marta-ibanez")
FINANCE = ("tang-shuhua", "helen-ashworth")
SERVICE_MANAGER = "luo-jianguo"


@dataclass(frozen=True)
class Employee:
    """A member of staff."""

    id: str
    name: str
    unit: str
    position: str
    place: Place
    roles: tuple[str, ...]
    manager: str | None = None

    @property
    def path(self) -> str:
        """The unit's path from the top, as tokens carry it."""
        steps, unit = [self.unit], _PARENTS[self.unit]
        while unit is not None:
            steps.append(unit)
            unit = _PARENTS[unit]
        return "/".join(reversed(steps))


_UNITS = (
    ("hengwan", "恒湾仪器 Hengwan Instruments", "company", None, None),
    ("sales-department", "销售部 Sales", "department", "hengwan", None),
    *((r.unit, f"Sales {r.label}", "sales_group", "sales-department", r.label) for r in REGIONS),
    (_MARKETING, "市场部 Marketing", "department", "hengwan", None),
    (_FINANCE, "财务部 Finance", "department", "hengwan", None),
    (_SERVICE, "客户服务 Service", "department", "hengwan", None),
)
_PARENTS = {unit: parent for unit, _, _, parent, _ in _UNITS}

_NAMES = {
    "chen-yulan": "陈玉兰", "wang-haoran": "王浩然", "xu-jiaying": "徐佳颖",
    "gu-mingyuan": "顾明远", "liang-meiqi": "梁美琪", "he-junjie": "何俊杰",
    "huang-zhiqiang": "黄志强", "sun-yue": "孙悦", "guo-tianyu": "郭天宇", "zhao-liwei": "赵立伟",
    "daniel-koh": "Daniel Koh", "grace-tan": "Grace Tan", "oliver-hughes": "Oliver Hughes",
    "fiona-gallagher": "Fiona Gallagher", "james-whitfield": "James Whitfield",
    "emma-hartley": "Emma Hartley", "carmen-ortega": "Carmen Ortega",
    "javier-molina": "Javier Molina", "lucia-fernandez": "Lucía Fernández",
}  # fmt: skip


def _salespeople() -> Iterator[Employee]:
    for region in REGIONS:
        boss = region.manager
        yield Employee(
            boss, _NAMES[boss], region.unit, "Sales manager", region.place, ("sales_manager",)
        )
        for rep in region.reps:
            yield Employee(
                rep, _NAMES[rep], region.unit, "Sales engineer", region.place, ("sales_rep",), boss
            )


STAFF = MappingProxyType(
    {
        employee.id: employee
        for employee in (
            Employee("zhou-wen", "周文", "hengwan", "General manager", SHANGHAI, ("analyst",)),
            *_salespeople(),
            Employee("lin-xiaoyu", "林晓宇", _MARKETING, "Campaigns", SHANGHAI, ("marketing",)),
            Employee(
                "marta-ibanez", "Marta Ibáñez", _MARKETING, "Digital", MADRID, ("marketing",)
            ),
            Employee("tang-shuhua", "唐淑华", _FINANCE, "Head of finance", SHANGHAI, ("finance",)),
            Employee(
                "helen-ashworth", "Helen Ashworth", _FINANCE, "Receivables", LONDON,
                ("finance",), "tang-shuhua",
            ),
            Employee("feng-yi", "冯毅", _FINANCE, "Internal audit", SHANGHAI, ("auditor",)),
            Employee(
                SERVICE_MANAGER, "罗建国", _SERVICE, "Head of service", SHANGHAI,
                ("service_manager",),
            ),
            *(
                Employee(id, name, _SERVICE, "Service engineer", place, ("service_agent",),
                         SERVICE_MANAGER)
                for id, name, place in (
                    ("deng-lina", "邓丽娜", SHANGHAI), ("ye-zihan", "叶子涵", SHANGHAI),
                    ("ben-carver", "Ben Carver", LONDON),
                    ("sofia-ramirez", "Sofía Ramírez", MADRID),
                )
            ),
        )
    }
)  # fmt: skip


def boss_of(rep: str) -> str:
    """Return who leads a sales engineer's unit."""
    return STAFF[rep].manager or rep


@dataclass(frozen=True)
class Product:
    """Something on offer, with its price per currency."""

    id: str
    name: str
    category: tuple[str, ...]
    unit: str
    tax: Decimal
    """Percent, inside China."""
    cny: int
    usd: int
    eur: int

    def price(self, currency: str) -> Decimal:
        """Return the list price."""
        return Decimal({"CNY": self.cny, "USD": self.usd, "EUR": self.eur}[currency])


_GOODS, _SERVICES = Decimal(13), Decimal(6)
PRODUCTS = (
    Product("s7", "S7 光谱仪 ICP-OES spectrometer", ("仪器", "光谱"), "台",
            _GOODS, 486_000, 71_500, 66_800),
    Product("l5", "L5 液相色谱仪 HPLC system", ("仪器", "色谱"), "台",
            _GOODS, 268_000, 39_800, 36_900),
    Product("x3", "X3 手持荧光分析仪 XRF analyser", ("仪器", "光谱"), "台",
            _GOODS, 148_000, 21_900, 20_400),
    Product("k250", "K250 恒温恒湿箱 climate chamber", ("仪器", "环境"), "台",
            _GOODS, 86_500, 12_800, 11_900),
    Product("c400", "C400 离心机 centrifuge", ("仪器", "通用"), "台",
            _GOODS, 39_800, 5_900, 5_500),
    Product("w2", "W2 水质分析仪 water analyser", ("仪器", "环境"), "台",
            _GOODS, 28_600, 4_250, 3_950),
    Product("kit", "耗材包 consumables kit", ("耗材",), "套", _GOODS, 3_680, 545, 509),
    Product("install", "安装调试 installation", ("服务",), "次", _SERVICES, 12_000, 1_780, 1_650),
    Product("training", "操作培训 operator training", ("服务",), "天", _SERVICES, 6_800, 990, 930),
    Product("silver", "银牌维保 Silver maintenance", ("服务", "维保"), "年",
            _SERVICES, 18_500, 2_750, 2_560),
    Product("gold", "金牌维保 Gold maintenance", ("服务", "维保"), "年",
            _SERVICES, 42_000, 6_200, 5_780),
)  # fmt: skip

BOOKS = MappingProxyType({"CNY": "standard-prices", "USD": "prices-usd", "EUR": "prices-eur"})
_RATES = {"USD": Decimal("7.12"), "EUR": Decimal("7.78")}


def found(script: Script, first_leads: datetime) -> None:
    """Set the company up in one working day: people, rights, offer, rules and promises.

    Args:
        script: begins when the company does.
        first_leads: by when everything must stand.
    """
    _hire(script)
    _offer(script)
    _lay_down_rules(script)
    _promise_service(script, first_leads)


def exchange_rates(script: Script, months: int) -> None:
    """Let finance say once a month what foreign money is worth."""
    for month in range(months):
        day = script.diary.today if month == 0 else _next_month(script.diary.today)
        at = script.diary.until(day)
        for currency, rate in _RATES.items():
            drift = Decimal(script.rng.randint(-400, 400)) / 10_000
            script.do(
                "billing.SetExchangeRate", FINANCE[0], at,
                currency=currency, reporting_currency="CNY", rate=str(rate + drift),
                valid_from=at.date().isoformat(), rate_source="中国外汇交易中心",
            )  # fmt: skip


def _hire(script: Script) -> None:
    def set_up(call: str, **request: Any) -> None:
        script.do(call, ADMINISTRATOR, script.diary.minutes(1, 3), **request)

    for unit, name, kind, parent, region in _UNITS:
        set_up("workplace.CreateUnit", unit_id=unit, name=name, kind=kind, parent_id=parent,
               region=region)  # fmt: skip
    for role, title, rights in (
        ("marketing", "Marketing", ["leads.CaptureLead", "leads.Get*", "leads.List*"]),
        ("late_entry", "Enters what happened earlier", ["*.LateEntry"]),
    ):
        set_up("workplace.DefineRole", role=role, title=title, rights=rights)
    for number, employee in enumerate(STAFF.values(), 1001):
        mailbox = employee.id.replace("-", ".")
        set_up(
            "workplace.HireEmployee", employee_id=employee.id, name=employee.name,
            email=f"{mailbox}@hengwan-instruments.com", number=f"H{number}",
            unit_id=employee.unit, position=employee.position, manager_id=employee.manager,
            time_zone=employee.place.zone,
            joined_on=(script.diary.today - timedelta(days=400 + number % 700)).isoformat(),
        )  # fmt: skip
        for role in (*employee.roles, "late_entry"):
            set_up("workplace.GrantRole", employee_id=employee.id, role=role)
    heads = {region.unit: region.manager for region in REGIONS} | {
        "service-department": SERVICE_MANAGER
    }
    for unit, head in heads.items():
        set_up("workplace.RenameUnit", unit_id=unit, head_id=head)


def _offer(script: Script) -> None:
    def set_up(call: str, **request: Any) -> None:
        script.do(call, ADMINISTRATOR, script.diary.minutes(1, 3), **request)

    for product in PRODUCTS:
        set_up(
            "pipeline.DefineProduct", product_id=product.id, sku=f"HW-{product.id.upper()}",
            name=product.name, category=list(product.category), unit=product.unit,
            tax_percent=str(product.tax),
        )  # fmt: skip
    for currency, book in BOOKS.items():
        set_up(
            "pipeline.DefinePriceBook", price_book_id=book, name=f"{currency} 2025/26",
            currency=currency,
            prices=[
                {"product_id": product.id, "unit_price": str(product.price(currency))}
                for product in PRODUCTS
            ],
        )  # fmt: skip
    set_up(
        "pipeline.DefineSalesProcess", process_id="standard", name="设备销售 Equipment",
        stages=[
            _stage("qualification", "初步接触 Qualification", 10, 12, "pipeline"),
            _stage("needs", "需求确认 Needs", 30, 16, "pipeline"),
            _stage("proposal", "方案报价 Proposal", 50, 25, "best_case", required=["amount"]),
            _stage("negotiation", "商务谈判 Negotiation", 75, 20, "commit",
                   checklist=["决策人已确认"]),
        ],
    )  # fmt: skip
    set_up(
        "pipeline.DefineSalesProcess", process_id="service", name="维保续约 Service agreements",
        stages=[
            _stage("proposal", "方案报价 Proposal", 60, 20, "best_case"),
            _stage("negotiation", "商务谈判 Negotiation", 80, 15, "commit"),
        ],
    )  # fmt: skip


def _stage(
    stage: str,
    name: str,
    probability: int,
    days: int,
    forecast: str,
    required: list[str] | None = None,
    checklist: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "stage": stage,
        "name": name,
        "probability": probability,
        "expected_days": days,
        "forecast": forecast,
        "required_fields": required or [],
        "checklist": checklist or [],
    }


def _lay_down_rules(script: Script) -> None:
    def set_up(call: str, **request: Any) -> None:
        script.do(call, ADMINISTRATOR, script.diary.minutes(1, 3), **request)

    sales = [{"kind": "unit", "id": "sales-department"}]
    for pool, name in (
        (POOL_PUBLIC, "公海 Public pool"),
        (POOL_EVENTS, "展会名片 Exhibition cards"),
        (POOL_DORMANT, "沉睡线索 Dormant leads"),
    ):
        set_up("leads.OpenPool", pool_id=pool, name=name, members=sales,
               admin_ids=[region.manager for region in REGIONS],
               hidden_fields=["phones", "emails"])  # fmt: skip
    common = {"recycle_after_days": RECYCLED_AFTER, "warn_before_days": 7, "cool_down_hours": 72,
              "time_zone": "Asia/Shanghai"}  # fmt: skip
    set_up("leads.ConfigurePoolRules", pool_id=POOL_PUBLIC, claims_per_day=20, **common)
    set_up("leads.ConfigurePoolRules", pool_id=POOL_EVENTS, claims_per_day=20,
           protection_hours=24, **common)  # fmt: skip
    set_up("leads.ConfigurePoolRules", pool_id=POOL_DORMANT, claims_per_day=DORMANT_PER_DAY,
           holding_capacity=DORMANT_HELD, **common)  # fmt: skip
    set_up(
        "leads.ConfigureDuplicateRules",
        rules=[
            {"rule": "same_phone", "fields": [{"field": "phones"}], "outcome": "refuse"},
            {"rule": "same_email", "fields": [{"field": "emails", "match": "case_folded"}],
             "outcome": "merge"},
            {"rule": "same_company", "fields": [{"field": "company", "match": "case_folded"}],
             "window_days": 180, "outcome": "warn", "against_accounts": False},
        ],
    )  # fmt: skip
    set_up("leads.ConfigureScoringRules", rules=_SCORING, grades=[
        {"grade": "a", "at_least": 65}, {"grade": "b", "at_least": 45},
        {"grade": "c", "at_least": 25}, {"grade": "d", "at_least": 0},
    ])  # fmt: skip
    set_up(
        "leads.ConfigureAssignmentRules",
        rules=[
            {"rule": "small_talk", "pool_id": POOL_PUBLIC,
             "conditions": [{"field": "channel", "operator": "in", "value": ["chat", "social"]}]},
            *(
                {"rule": f"region_{region.key}", "conditions": [_is("region", region.label)],
                 "candidate_ids": list(region.reps), "pool_id": POOL_PUBLIC}
                for region in REGIONS
            ),
        ],
    )  # fmt: skip


def _is(field: str, value: str) -> dict[str, Any]:
    return {"field": field, "operator": "equals", "value": value}


def _gives(
    points: int, rule: str, reason: str, *conditions: dict[str, Any], half_life: int | None = None
) -> dict[str, Any]:
    scoring = {"rule": rule, "reason": reason, "points": points, "conditions": list(conditions)}
    return scoring if half_life is None else {**scoring, "half_life_days": half_life}


_SCORING = [
    _gives(20, "urgent", "急需", _is("demand_level", "high")),
    _gives(10, "some_need", "有需求", _is("demand_level", "medium")),
    _gives(20, "has_budget", "预算已知", {"field": "budget", "operator": "present"}),
    _gives(10, "knows_when", "采购时间已知",
           {"field": "expected_purchase_on", "operator": "present"}),
    _gives(15, "referred", "老客户推荐", _is("channel", "referral")),
    _gives(10, "reachable", "电话可达", {"field": "phones", "operator": "present"}),
    _gives(5, "came_again", "再次来询", {"field": "statements", "operator": "at_least", "value": 2},
           half_life=45),
    _gives(15, "took_it_well", "沟通积极", _is("attitude", "positive")),
    _gives(-15, "took_it_badly", "沟通消极", _is("attitude", "negative")),
]  # fmt: skip


def _promise_service(script: Script, first_leads: datetime) -> None:
    def set_up(call: str, **request: Any) -> None:
        script.do(call, ADMINISTRATOR, script.diary.minutes(1, 3), **request)

    set_up(
        "support.DefineBusinessCalendar", calendar_id="calendar-weekdays", name="工作日 9–18",
        time_zone="Asia/Shanghai",
        hours=[{"weekday": day, "opens": "09:00:00", "closes": "18:00:00"} for day in range(1, 6)],
        holiday_country="CN", holiday_years=[first_leads.year, first_leads.year + 1],
    )  # fmt: skip
    set_up("support.DefineBusinessCalendar", calendar_id="calendar-always", name="7×24",
           time_zone="UTC")  # fmt: skip
    for policy, name, calendar, default, hours in (
        (SLA_STANDARD, "标准服务 Standard", "calendar-weekdays", True,
         {"critical": (2, 9), "high": (4, 18), "moderate": (9, 45), "low": (18, 90)}),
        (SLA_GOLD, "金牌服务 Gold", "calendar-always", False,
         {"critical": (1, 12), "high": (4, 48), "moderate": (24, 120), "low": (48, 240)}),
    ):  # fmt: skip
        set_up(
            "support.DefineSlaPolicy", sla_policy_id=policy, name=name, calendar_id=calendar,
            is_default=default,
            targets=[
                {"priority": priority, "response_minutes": response * 60,
                 "resolution_minutes": resolution * 60}
                for priority, (response, resolution) in hours.items()
            ],
        )  # fmt: skip


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
