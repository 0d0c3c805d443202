"""What people call the columns of a list, in many languages: data for `columns`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum


class Field(StrEnum):
    """What a column can hold. From `CHANNEL` on it is evidence."""

    IDENTITY = "identity"
    CALLING_CODE = "calling_code"
    ACTION = "action"
    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"
    OCCURRED_AT = "occurred_at"
    OPTED_IN_AT = "opted_in_at"
    OPTED_OUT_AT = "opted_out_at"
    CATEGORIES = "categories"
    OPERATION = "operation"
    EVIDENCE = "evidence"
    CHANNEL = "channel"
    COLLECTION_POINT = "collection_point"
    WORDING = "wording"
    WORDING_VERSION = "wording_version"
    LANGUAGE = "language"
    URL = "url"
    IP = "ip"
    USER_AGENT = "user_agent"
    REFERENCE = "reference"
    ACTOR = "actor"


_FIELDS = tuple(Field)
#: Fields whose text is kept as evidence, under their own name.
EVIDENCE = frozenset(_FIELDS[_FIELDS.index(Field.CHANNEL) :])
#: Fields that say what a row is; a list has one of them.
SAYING = frozenset({Field.ACTION, Field.OPTED_IN, Field.OPTED_OUT})

# A word of two meanings is in none: "created at" may be the date of anything, "time" may have its
# date beside it, "marketing consent" says nothing of other messages.
_NAMES: Mapping[Field, str] = {
    Field.IDENTITY: """
        identity|phone|phone number|phone no|phone nr|number|numbers|mobile|mobile number|
        mobile phone|mobile no|cell|cell phone|cellphone number|telephone|telephone number|tel|
        msisdn|wa id|whatsapp|whatsapp number|whatsapp phone|whatsapp phone number|bsuid|
        teléfono|número de teléfono|celular|móvil|número|telefone|número de telefone|telemóvel|
        téléphone|numéro de téléphone|numéro|portable|telefon|telefonnummer|handy|handynummer|
        mobilnummer|rufnummer|mobiltelefon|telefono|numero di telefono|cellulare|telefoon|
        telefoonnummer|mobiel|mobiel nummer|mobil|numer telefonu|komórka|cep telefonu|
        telefon numarası|nomor telepon|no hp|nomor hp|nomor whatsapp|телефон|номер телефона|
        номер|电话|电话号码|手机|手机号|手机号码|電話番号|携帯電話|전화번호|휴대폰|휴대폰 번호|
        الهاتف|رقم الهاتف|رقم الجوال|טלפון|מספר טלפון|फ़ोन|फोन नंबर|मोबाइल""",
    Field.CALLING_CODE: "country code|calling code|country calling code|dial code|phone prefix",
    Field.ACTION: """
        action|status|state|event|consent status|consent state|subscription status|opt in status|
        optin status|opt status|whatsapp status|estado|situação|statut|stato|zustand""",
    Field.OPTED_IN: """
        opt in|opted in|is opted in|subscribed|is subscribed|consent|consented|has consent|
        permission|consent given|whatsapp opt in|whatsapp opted in|whatsapp opted|
        whatsapp consent|einwilligung|eingewilligt|angemeldet|consentimiento|suscrito|
        consentimento|inscrito|consentement|abonné|inscrit|consenso|iscritto|toestemming|
        aangemeld|samtycke|zgoda|izin|согласие|同意|동의|الموافقة|הסכמה|सहमति""",
    Field.OPTED_OUT: """
        opt out|opted out|is opted out|unsubscribed|is unsubscribed|unsubscribe|do not contact|
        do not call|dnc|blocked|is blocked|blacklisted|blocklisted|stopped|whatsapp opt out|
        whatsapp opted out|abgemeldet|abbestellt|baja|dado de baja|descadastrado|
        désabonné|désinscrit|disiscritto|afgemeld|avregistrerad|wypisany""",
    Field.OCCURRED_AT: """
        occurred at|timestamp|date|datetime|date time|consent date|date of consent|consent time|
        consent timestamp|consented at|consent at|event time|fecha|fecha y hora|data|datum|
        date et heure|datum und uhrzeit|tarih|tanggal|дата|日期|日付|날짜|التاريخ|תאריך|तारीख""",
    Field.OPTED_IN_AT: """
        opt in at|opted in at|opt in date|optin date|opt in time|opt in timestamp|opted in date|
        date of opt in|subscribed at|subscribe date|subscription date|subscribed on""",
    Field.OPTED_OUT_AT: """
        opt out at|opted out at|opt out date|optout date|opt out time|opt out timestamp|
        opted out date|date of opt out|unsubscribed at|unsubscribe date|unsubscribed on""",
    Field.CATEGORIES: "categories|category|consent categories",
    Field.EVIDENCE: "evidence",
    Field.CHANNEL: "channel|medium|canal|kanal|canale|kanaal",
    Field.COLLECTION_POINT: """
        collection point|source|opt in source|consent source|form|form name|quelle|origen|origem|
        origine|källa""",
    Field.WORDING: "wording|consent text|consent wording|opt in text|disclosure|notice",
    Field.WORDING_VERSION: "wording version|consent version|text version|notice version",
    Field.LANGUAGE: "language|lang|locale|idioma|sprache|langue|lingua|taal|språk|język|dil",
    Field.URL: "url|page|page url|form url|landing page",
    Field.IP: "ip|ip address|opt in ip|consent ip|client ip",
    Field.USER_AGENT: "user agent|browser",
    Field.REFERENCE: "reference|ref|external id|correlation id|message id|wamid|ticket",
    Field.ACTOR: "actor|agent|operator|recorded by|collected by",
}


def folded(name: str) -> str:
    """A heading without case, accents, spaces and punctuation: `optInDate` is `Opt-in date`."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if c.isalnum())


#: Headings, folded, and what stands below them.
HEADINGS: Mapping[str, Field] = {
    folded(name): field for field, names in _NAMES.items() for name in names.split("|")
}
