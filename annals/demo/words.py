"""What people say and write, by language: Chinese, English, Spanish."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = [
    "BAD_TALK",
    "COMPETITORS",
    "DISQUALIFIED",
    "FOLLOW_UPS",
    "GOOD_TALK",
    "LOST",
    "NEEDS",
    "NEXT_STEPS",
    "PRAISE",
    "RELEASED",
    "REPLIES",
    "RESOLUTIONS",
    "SCOLDING",
    "TICKETS",
    "VISITS",
]

Said = Mapping[str, Sequence[str]]

NEEDS: Said = MappingProxyType(
    {
        "zh": (
            "新建实验室，需要一套元素分析设备，希望本季度内安装。",
            "现有光谱仪老化，考虑以旧换新，想先了解价格和交期。",
            "第三方检测资质扩项，需增加水质分析能力。",
            "产线来料检验，需要手持式荧光分析仪，最好能现场演示。",
            "环境试验箱两台，用于电池可靠性测试。",
            "高校采购项目，走公开招标，请提供技术参数和授权文件。",
            "想了解维保服务内容，现有设备为其他品牌。",
        ),
        "en": (
            "Setting up a new materials lab and comparing ICP-OES systems.",
            "Need a handheld XRF analyser for incoming inspection, demo preferred.",
            "Replacing two ageing centrifuges before the audit in spring.",
            "Looking for an HPLC system with training included.",
            "Water utility tender: analyser plus three years of maintenance.",
            "Climate chamber for battery testing, delivery within ten weeks.",
        ),
        "es": (
            "Ampliamos el laboratorio y necesitamos un cromatógrafo con formación incluida.",
            "Buscamos un analizador portátil de fluorescencia para control de calidad.",
            "Queremos renovar dos centrífugas y contratar el mantenimiento.",
            "Proyecto de tratamiento de aguas: analizador y puesta en marcha.",
            "Solicitamos oferta de cámara climática para ensayos de envejecimiento.",
        ),
    }
)

FOLLOW_UPS: Said = MappingProxyType(
    {
        "zh": (
            "电话沟通需求，客户正在做预算，约定下周再联系。",
            "发送产品彩页和应用案例，客户表示会转给技术负责人。",
            "上门拜访，了解样品类型和检测量，现场条件满足安装要求。",
            "视频演示 S7 的操作流程，技术人员提问较多。",
            "微信确认收到报价参数表，等待内部评审。",
            "联系未接通，已留言。",
        ),
        "en": (
            "Called to understand sample types and throughput; budget is being prepared.",
            "Sent brochure and two application notes; will go to the lab manager.",
            "Site visit: power and exhaust are in place, space is tight.",
            "Online demo with three people from the lab, good questions on detection limits.",
            "No answer, left a message.",
            "Confirmed the specification by mail; procurement will be involved next.",
        ),
        "es": (
            "Llamada para conocer el volumen de muestras; están preparando el presupuesto.",
            "Enviado el catálogo y dos notas de aplicación.",
            "Visita al laboratorio: la instalación eléctrica es adecuada.",
            "Demostración en línea con el equipo técnico.",
            "No contesta, dejado mensaje en el buzón.",
        ),
    }
)

GOOD_TALK: Said = MappingProxyType(
    {
        "zh": ("客户认可方案，希望尽快报价。", "采购流程已启动，决策人明确。"),
        "en": ("Very interested, asks for an offer.", "Decision maker is on board."),
        "es": ("Muy interesados, piden oferta.", "El responsable apoya el proyecto."),
    }
)

BAD_TALK: Said = MappingProxyType(
    {
        "zh": ("预算被砍，短期内没有采购计划。", "只是例行询价，没有实际项目。"),
        "en": ("Budget was cut, nothing planned this year.", "Only collecting prices."),
        "es": ("Sin presupuesto este año.", "Solo querían comparar precios."),
    }
)

NEXT_STEPS: Said = MappingProxyType(
    {
        "zh": ("发送报价单", "安排样品测试", "拜访技术负责人", "确认安装条件"),
        "en": ("Send the offer", "Arrange a sample test", "Meet the lab manager"),
        "es": ("Enviar la oferta", "Preparar una prueba de muestras", "Reunión con compras"),
    }
)

VISITS: Said = MappingProxyType(
    {
        "zh": (
            "回访使用情况，运行稳定。",
            "年度回顾会议，讨论明年扩产计划。",
            "现场培训新操作员。",
        ),
        "en": ("Quarterly review, instrument runs well.", "Discussed next year's expansion."),
        "es": ("Revisión trimestral, todo en orden.", "Hablamos de la ampliación prevista."),
    }
)

DISQUALIFIED = ("no budget", "no need", "wrong contact data", "competitor", "student project")
RELEASED = ("outside my region", "no time", "needs another specialist")
LOST = ("price", "delivery time", "features", "project cancelled", "relationship")
COMPETITORS = ("Lanxin 蓝芯仪器", "Bergmann Analytik", "Pacific Scientific", "Instrumentos Vela")

TICKETS: Mapping[str, Sequence[tuple[str, str, str, str]]] = MappingProxyType(
    {
        "zh": (
            ("fault", "high", "hardware", "S7 点火失败，报错 E-14"),
            ("fault", "critical", "hardware", "离心机运行中异响停机"),
            ("question", "low", "software", "如何导出校准曲线？"),
            ("service_request", "moderate", "calibration", "申请年度校准"),
            ("complaint", "high", "delivery", "耗材到货数量不符"),
            ("fault", "moderate", "software", "数据工作站无法连接仪器"),
            ("question", "moderate", "method", "重金属检测方法咨询"),
        ),
        "en": (
            ("fault", "high", "hardware", "Plasma does not ignite, error E-14"),
            ("question", "low", "software", "How to export calibration curves"),
            ("service_request", "moderate", "calibration", "Annual calibration request"),
            ("complaint", "high", "delivery", "Consumables incomplete on arrival"),
            ("fault", "critical", "hardware", "Chamber overheats above 60 °C"),
        ),
        "es": (
            ("fault", "high", "hardware", "El equipo no enciende, error E-14"),
            ("question", "low", "software", "Cómo exportar las curvas de calibración"),
            ("service_request", "moderate", "calibration", "Solicitud de calibración anual"),
            ("complaint", "high", "delivery", "Faltan consumibles en el envío"),
        ),
    }
)

REPLIES: Said = MappingProxyType(
    {
        "zh": ("您好，问题已收到，工程师正在远程排查。", "请提供仪器序列号和日志文件。"),
        "en": ("Thank you, an engineer is looking into it.", "Please send us the log file."),
        "es": ("Gracias, un técnico lo está revisando.", "Envíenos el registro, por favor."),
    }
)

RESOLUTIONS: Said = MappingProxyType(
    {
        "zh": ("更换点火线圈，测试正常。", "远程升级固件后恢复。", "已补发缺少的耗材。"),
        "en": ("Replaced the ignition coil.", "Solved by firmware update.", "Missing parts sent."),
        "es": ("Sustituida la bobina de encendido.", "Resuelto con nueva versión."),
    }
)

PRAISE: Said = MappingProxyType(
    {
        "zh": ("响应及时，工程师专业。", "很满意。"),
        "en": ("Quick and competent.", "Very helpful engineer."),
        "es": ("Muy buena atención.", "Rápidos y amables."),
    }
)

SCOLDING: Said = MappingProxyType(
    {
        "zh": ("等了三天才有人联系，影响生产。", "问题反复出现。"),
        "en": ("It took far too long.", "The same fault came back twice."),
        "es": ("Tardaron demasiado en responder.", "El problema volvió a aparecer."),
    }
)
