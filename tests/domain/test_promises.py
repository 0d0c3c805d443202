"""Templates that promise a word which their bot would not hear (R10)."""

from __future__ import annotations

import pytest

from optin.domain.packs import PACKS
from optin.domain.promises import unheard_in_template, unheard_promises
from optin.domain.template_texts import TemplateText

# A footer as senders print it, its language, and the words it asks for.
FOOTERS = [
    ("en", "Reply STOP to unsubscribe.", ["STOP"]),
    ("en", "Text QUIT to opt out of these messages", ["QUIT"]),
    ("en", "To unsubscribe, reply with the word STOPALL", ["STOPALL"]),
    ("en", "Hi Ann, 20% off at ACME today! Reply OPT-OUT to stop.", ["OPT-OUT"]),
    ("en", 'Don\'t want these? Answer "unsubscribe".', ["unsubscribe"]),
    ("es", "Responde BAJA para dejar de recibir mensajes", ["BAJA"]),
    ("es", "Si no deseas recibir más mensajes responde BAJA.", ["BAJA"]),
    ("es", "Para darte de baja, envía *PARAR*", ["PARAR"]),
    ("pt", "Responda SAIR para não receber mais mensagens", ["SAIR"]),
    ("pt", "Para sair da lista, envie PARAR", ["PARAR"]),
    ("fr", "Envoyez STOP pour ne plus recevoir de messages", ["STOP"]),
    ("fr", "Pour vous désabonner, répondez ARRÊT", ["ARRÊT"]),
    ("de", "Antworte mit STOPP, um dich abzumelden", ["STOPP"]),
    ("de", "Zum Abmelden bitte mit „Abmelden“ antworten.", ["Abmelden"]),
    ("it", "Rispondi STOP per non ricevere più messaggi", ["STOP"]),
    ("it", "Per disiscriverti scrivi BASTA", ["BASTA"]),
    ("nl", "Antwoord AFMELDEN om geen berichten meer te krijgen", ["AFMELDEN"]),
    ("nl", "Afmelden? Stuur STOP", ["STOP"]),
    ("sv", "Svara STOPP för att avregistrera dig", ["STOPP"]),
    ("sv", "Vill du inte få fler utskick, svara AVREGISTRERA", ["AVREGISTRERA"]),
    ("pl", "Odpowiedz STOP, aby zrezygnować", ["STOP"]),
    ("pl", "Aby się wypisać, wyślij WYPISZ", ["WYPISZ"]),
    ("tr", "Mesaj almak istemiyorsanız DUR yazın", ["DUR"]),
    ("tr", "Abonelikten çıkmak için STOP yazıp gönderin", ["STOP"]),
    ("ar", "لإلغاء الاشتراك أرسل إيقاف", ["إيقاف"]),
    ("ar", "أرسل «توقف» لإيقاف الرسائل", ["توقف"]),
    ("he", "להסרה השב הסר", ["הסר"]),
    ("he", 'להסרה מרשימת התפוצה השיבו "הסר"', ["הסר"]),
    ("hi", "बंद करने के लिए STOP भेजें", ["STOP"]),
    ("hi", "मैसेज रोकने के लिए “बंद” लिखें", ["बंद"]),
    ("id", "Balas BERHENTI untuk berhenti berlangganan", ["BERHENTI"]),
    ("id", "Ketik UNREG jika tidak ingin menerima pesan", ["UNREG"]),
    ("ru", "Чтобы отписаться, отправьте СТОП", ["СТОП"]),
    ("ru", "Ответьте «СТОП», чтобы больше не получать сообщения", ["СТОП"]),
    ("zh", "回复TD退订", ["TD"]),
    ("zh", "如需退订请回复“退订”", ["退订"]),
    ("ja", "配信停止をご希望の方は「停止」と返信してください", ["停止"]),
    ("ja", "STOPと返信すると配信を停止します", ["STOP"]),
    ("ko", "수신거부를 원하시면 '수신거부'라고 회신해 주세요", ["수신거부"]),
    ("ko", "수신거부는 STOP 회신", ["STOP"]),
]


@pytest.mark.parametrize(("language", "text", "words"), FOOTERS)
def test_a_promise_in_a_language_the_bot_has_not_is_found(
    language: str, text: str, words: list[str]
) -> None:
    """Each footer's word is named when the bot has no pack at all."""
    assert unheard_promises(text, []) == words


@pytest.mark.parametrize(("language", "text", "words"), FOOTERS)
def test_a_promise_that_is_kept_is_no_alarm(language: str, text: str, words: list[str]) -> None:
    """The same footers are silent with their own pack, and with the words as the bot's own."""
    assert unheard_promises(text, [language]) == []
    assert unheard_promises(text, [], own_stop=words) == []


def test_every_pack_has_a_footer() -> None:
    """The table leaves out no language."""
    assert {language for language, _, _ in FOOTERS} == set(PACKS)


@pytest.mark.parametrize(
    ("languages", "text", "words"),
    [
        (["en"], "Responde BAJA para no recibir más mensajes", ["BAJA"]),
        (["en"], "Reply END to unsubscribe", ["END"]),
        (["en"], "Reply 9 to unsubscribe", ["9"]),
        (["en"], "Reply NOMORE to opt out", ["NOMORE"]),
        (["es"], "Responde CANCELAR para darte de baja", ["CANCELAR"]),
        (["tr"], "Çıkmak için RET yazın", ["RET"]),
        (["zh"], "拒收请回复R", ["R"]),
        (["en"], "Reply YES to confirm or HALT to unsubscribe", ["HALT"]),
        (["en"], "To opt out reply STOP or BAJA", ["BAJA"]),
        (["en"], "Reply ENOUGH to stop. Antworte GENUG, um dich abzumelden.", ["ENOUGH", "GENUG"]),
        (["en"], "Reply HALT to stop. Reply HALT to stop.", ["HALT"]),
        (["en"], "Reply GO AWAY to unsubscribe", ["GO AWAY"]),
    ],
)
def test_a_word_that_is_not_heard_is_named(
    languages: list[str], text: str, words: list[str]
) -> None:
    """Words of other packs, risky ones, digits and inventions are named as written, each once."""
    assert unheard_promises(text, languages) == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Reply YES to confirm your appointment or NO to cancel it.",
        "Reply STOP to unsubscribe from ACME",
        "Unsubscribe from ACME by texting STOP",
        "Reply HELP for help, STOP to stop.",
        "Your ORDER has been sent. Reply with a photo if the BOX is damaged.",
        "Text JOIN to win a prize",
        "The EXPRESS does not stop here.",
        "Temporada BAJA: habitaciones desde 40 euros",
        "Reply 1 for sales, 2 for service",
        "Answer A, B or C to take part in the QUIZ",
        "Your parcel will stop at the DEPOT. Reply LATER to choose another day.",
        "Responde SÍ para confirmar tu cita",
        "Antworte JA, um den Termin zu bestätigen",
        "Evet için EVET yazın",
    ],
)
def test_other_answers_are_no_promises(text: str) -> None:
    """Confirmations, menus and names do not alarm."""
    assert unheard_promises(text, ["en"]) == []


def test_a_risky_word_is_heard_once_it_is_switched_on() -> None:
    """The linter judges with the bot's own settings."""
    assert unheard_promises("Reply END to stop", ["en"], risky=frozenset(("end",))) == []


@pytest.mark.parametrize(
    ("languages", "texts", "words"),
    [
        (["en"], [("body", "Reply BAJA to stop."), ("footer", "Reply STOP to stop")], ["BAJA"]),
        (["en"], [("button", "Stop"), ("button", "Abmelden"), ("button", "Shop")], ["Abmelden"]),
        (["en", "de"], [("button", "Abmelden")], []),
        (["fr"], [("button", "Keine Werbung"), ("button", "Cancel")], ["Keine Werbung"]),
        (["en"], [("footer", "Reply BAJA to stop"), ("body", "Reply BAJA to stop")], ["BAJA"]),
        (["en"], [], []),
    ],
)
def test_a_template_with_all_its_texts(
    languages: list[str], texts: list[tuple[str, str]], words: list[str]
) -> None:
    """Header, body and footer are read for promises; a button promises what it says, if that is a
    stop to some pack. Each word once."""
    given = [TemplateText(*text) for text in texts]
    assert unheard_in_template(given, languages) == words
    assert unheard_in_template(given, languages, own_stop=words) == []
