"""The cast: invented people and companies who ask for something."""

from dataclasses import dataclass
from random import Random

from annals.demo.company import Region

__all__ = ["Cast", "Prospect"]


@dataclass(frozen=True)
class Prospect:
    """Somebody who may become a customer."""

    name: str
    title: str
    company: str
    city: str
    country: str
    industry: str
    phone: str
    email: str
    language: str


_CN_FAMILY = (
    ("李", "li"), ("张", "zhang"), ("刘", "liu"), ("杨", "yang"), ("周", "zhou"), ("吴", "wu"),
    ("郑", "zheng"), ("冯", "feng"), ("蒋", "jiang"), ("沈", "shen"), ("韩", "han"), ("朱", "zhu"),
    ("秦", "qin"), ("许", "xu"), ("吕", "lv"), ("金", "jin"), ("魏", "wei"), ("陶", "tao"),
    ("姜", "jiang"), ("谢", "xie"), ("邹", "zou"), ("苏", "su"), ("潘", "pan"), ("范", "fan"),
    ("彭", "peng"), ("鲁", "lu"), ("方", "fang"), ("任", "ren"), ("袁", "yuan"), ("史", "shi"),
)  # fmt: skip
_CN_GIVEN = (
    ("伟", "wei"), ("静", "jing"), ("敏", "min"), ("志远", "zhiyuan"), ("晓彤", "xiaotong"),
    ("建华", "jianhua"), ("丽娟", "lijuan"), ("文博", "wenbo"), ("思琪", "siqi"),
    ("俊峰", "junfeng"), ("雅婷", "yating"), ("国强", "guoqiang"), ("海燕", "haiyan"),
    ("子轩", "zixuan"), ("春梅", "chunmei"), ("永刚", "yonggang"), ("慧", "hui"), ("磊", "lei"),
    ("婉清", "wanqing"), ("立新", "lixin"), ("佳怡", "jiayi"), ("振东", "zhendong"),
)  # fmt: skip
_CN_TITLES = ("实验室主任", "采购经理", "质量总监", "设备科长", "技术负责人", "副总经理")
_CN_STEMS = (
    ("晨光", "chenguang"), ("瑞和", "ruihe"), ("博锐", "borui"), ("华诚", "huacheng"),
    ("嘉泰", "jiatai"), ("联创", "lianchuang"), ("恒信", "hengxin"), ("启明", "qiming"),
    ("安泰", "antai"), ("鼎新", "dingxin"), ("天元", "tianyuan"), ("润泽", "runze"),
    ("金桥", "jinqiao"), ("宏远", "hongyuan"), ("科达", "keda"), ("绿源", "lvyuan"),
    ("盛世", "shengshi"), ("东方", "dongfang"), ("明德", "mingde"), ("力合", "lihe"),
    ("海川", "haichuan"), ("新宇", "xinyu"), ("中维", "zhongwei"), ("元丰", "yuanfeng"),
)  # fmt: skip
_CN_TRADES = (
    ("生物科技", "bio", "生物医药"), ("制药", "pharma", "生物医药"),
    ("新材料", "materials", "新材料"),
    ("精密制造", "precision", "机械制造"), ("检测技术", "testing", "第三方检测"),
    ("食品", "foods", "食品"), ("半导体", "semicon", "半导体"), ("环境工程", "env", "环保"),
    ("汽车零部件", "auto", "汽车"), ("新能源", "energy", "新能源"), ("水务", "water", "环保"),
)  # fmt: skip
_CN_CITIES = {
    "east": ("上海", "苏州", "杭州", "南京", "宁波", "无锡", "合肥"),
    "south": ("深圳", "广州", "东莞", "佛山", "厦门", "珠海"),
    "north": ("北京", "天津", "青岛", "济南", "大连", "石家庄"),
}

_EN_FIRST = (
    "Amelia", "Noah", "Priya", "Marcus", "Sophie", "Ethan", "Hannah", "Liam", "Chloe", "Ryan",
    "Isla", "Patrick", "Aisling", "Jeroen", "Femke", "Wei Ming", "Siti", "Arjun", "Nicole", "Owen",
)  # fmt: skip
_EN_LAST = (
    "Byrne", "Kelly", "Visser", "de Boer", "Lim", "Ng", "Menon", "Parker", "Walsh", "Murray",
    "Foster", "Hayes", "Bakker", "Tan", "Reid", "Sullivan", "Jansen", "Fraser", "Chua", "Doyle",
)  # fmt: skip
_EN_TITLES = ("Lab Manager", "Head of Quality", "Procurement Lead", "R&D Director", "Plant Manager")
_EN_STEMS = (
    "Harrow", "Kestrel", "Northgate", "Claremont",
    "Silverbrook", "Ashdown", "Meridian", "Larkfield",
    "Stonebridge", "Oakhaven", "Bluewater", "Redcliff",
    "Fairmont", "Westlake", "Ardmore", "Elmwood",
)  # fmt: skip
_EN_TRADES = (
    ("Analytical", "Testing"), ("Materials", "Materials"), ("Foods", "Food"), ("Pharma", "Pharma"),
    ("Water Services", "Utilities"), ("Batteries", "Energy"), ("Metals", "Mining"),
)  # fmt: skip
_EN_CITIES = {
    "SG": ("Singapore", "Jurong"),
    "AU": ("Melbourne", "Brisbane", "Perth"),
    "IE": ("Dublin", "Cork", "Galway"),
    "NL": ("Eindhoven", "Utrecht", "Rotterdam"),
}

_ES_FIRST = (
    ("Alejandro", "alejandro"), ("María José", "mariajose"), ("Beatriz", "beatriz"),
    ("Íñigo", "inigo"), ("Rocío", "rocio"), ("Andrés", "andres"), ("Valentina", "valentina"),
    ("Gonzalo", "gonzalo"), ("Ximena", "ximena"), ("Rafael", "rafael"), ("Nuria", "nuria"),
    ("Sebastián", "sebastian"), ("Pilar", "pilar"), ("Emilio", "emilio"),
)  # fmt: skip
_ES_LAST = (
    ("García Peña", "garcia"), ("Navarro", "navarro"), ("Castaño", "castano"), ("Ibarra", "ibarra"),
    ("Muñoz", "munoz"), ("Echeverría", "echeverria"),
    ("Salinas", "salinas"), ("Quiroga", "quiroga"),
    ("Zamora", "zamora"), ("Vidal", "vidal"), ("Cárdenas", "cardenas"), ("Luján", "lujan"),
)  # fmt: skip
_ES_TITLES = ("Jefa de laboratorio", "Director técnico", "Responsable de compras", "Gerente")
_ES_STEMS = (
    "Aranda", "Bellavista", "Cumbres", "Duero", "Esmeralda", "Guadiana", "Jarama", "Laredo",
    "Montealto", "Quetzal", "Riofrío", "Sotomayor", "Valdivia", "Zaragoza Norte",
)  # fmt: skip
_ES_TRADES = (
    ("Laboratorios {}", "S.A.", "Farmacéutica"), ("Aguas de {}", "S.L.", "Agua"),
    ("Alimentos {}", "S.A.", "Alimentación"), ("Metales {}", "S.A. de C.V.", "Metalurgia"),
    ("Energías {}", "S.L.", "Energía"), ("Ensayos {}", "S.L.", "Ensayos"),
)  # fmt: skip
_ES_CITIES = {
    "ES": ("Madrid", "Zaragoza", "Valencia", "Bilbao", "Sevilla"),
    "MX": ("Monterrey", "Querétaro", "Guadalajara", "Puebla"),
}

_MOBILES = {
    "CN": ("+8613", 9), "SG": ("+658", 7), "AU": ("+61412", 6), "IE": ("+35385", 7),
    "NL": ("+3164", 7), "ES": ("+346", 8), "MX": ("+5255", 8),
}  # fmt: skip
_TOP_LEVEL = {
    "CN": "com.cn", "SG": "com.sg", "AU": "com.au", "IE": "ie", "NL": "nl", "ES": "es",
    "MX": "com.mx",
}  # fmt: skip
_ASCII = str.maketrans("áéíóúñÍÁÉ", "aeiounIAE")


class Cast:
    """Invents people; no two share a telephone number or a mail address.

    Args:
        rng: the dice.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._phones: set[str] = set()
        self._emails: set[str] = set()

    def prospect(self, region: Region) -> Prospect:
        """Return somebody from a region."""
        country = self._rng.choice(region.countries)
        match region.language:
            case "zh":
                return self._chinese(region, country)
            case "es":
                return self._spanish(country)
        return self._english(country)

    def _chinese(self, region: Region, country: str) -> Prospect:
        pick = self._rng.choice
        (family, family_latin), (given, given_latin) = pick(_CN_FAMILY), pick(_CN_GIVEN)
        (stem, stem_latin), (trade, trade_latin, industry) = pick(_CN_STEMS), pick(_CN_TRADES)
        city = pick(_CN_CITIES[region.key])
        return Prospect(
            name=family + given,
            title=pick(_CN_TITLES),
            company=f"{city}{stem}{trade}有限公司",
            city=city,
            country=country,
            industry=industry,
            phone=self._phone(country),
            email=self._email(f"{given_latin}.{family_latin}", stem_latin + trade_latin, country),
            language="zh",
        )

    def _english(self, country: str) -> Prospect:
        pick = self._rng.choice
        first, last, stem = pick(_EN_FIRST), pick(_EN_LAST), pick(_EN_STEMS)
        trade, industry = pick(_EN_TRADES)
        legal = {"SG": "Pte Ltd", "AU": "Pty Ltd", "IE": "Ltd", "NL": "B.V."}[country]
        return Prospect(
            name=f"{first} {last}",
            title=pick(_EN_TITLES),
            company=f"{stem} {trade} {legal}",
            city=pick(_EN_CITIES[country]),
            country=country,
            industry=industry,
            phone=self._phone(country),
            email=self._email(f"{first}.{last}", stem + trade, country),
            language="en",
        )

    def _spanish(self, country: str) -> Prospect:
        pick = self._rng.choice
        (first, first_latin), (last, last_latin) = pick(_ES_FIRST), pick(_ES_LAST)
        stem, (form, legal, industry) = pick(_ES_STEMS), pick(_ES_TRADES)
        brand = form.format(stem)
        return Prospect(
            name=f"{first} {last}",
            title=pick(_ES_TITLES),
            company=f"{brand} {legal}",
            city=pick(_ES_CITIES[country]),
            country=country,
            industry=industry,
            phone=self._phone(country),
            email=self._email(f"{first_latin}.{last_latin}", brand, country),
            language="es",
        )

    def _phone(self, country: str) -> str:
        prefix, digits = _MOBILES[country]
        while True:
            number = self._rng.randrange(2 * 10 ** (digits - 1), 9 * 10 ** (digits - 1))
            phone = f"{prefix}{number}"
            if phone not in self._phones:
                self._phones.add(phone)
                return phone

    def _email(self, person: str, brand: str, country: str) -> str:
        mailbox = _plain(person)
        domain = f"{_plain(brand)}.{_TOP_LEVEL[country]}"
        number = 1
        while (email := f"{mailbox}{number if number > 1 else ''}@{domain}") in self._emails:
            number += 1
        self._emails.add(email)
        return email


def _plain(text: str) -> str:
    latin = text.translate(_ASCII).lower()
    return "".join(
        letter for letter in latin if letter.isascii() and (letter.isalnum() or letter == ".")
    )
