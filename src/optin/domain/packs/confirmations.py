"""The confirmation of an opt-out in the language of each pack (R7): data, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Short, plain, and without the sender's name, which WhatsApp shows. Composed for this program:
# native speakers have not read them.
TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ar": "تم إلغاء اشتراكك. لن تصلك رسائل منا بعد الآن.",
        "de": "Sie sind abgemeldet. Sie erhalten keine Nachrichten mehr von uns.",
        "en": "You have unsubscribed. You will receive no more messages from us.",
        "es": "Se ha dado de baja. Ya no recibirá más mensajes nuestros.",
        "fr": "Votre désinscription est enregistrée. Vous ne recevrez plus de messages de nous.",
        "he": "הוסרתם מרשימת התפוצה. לא תקבלו מאיתנו הודעות נוספות.",
        "hi": "आपकी सदस्यता समाप्त कर दी गई है। अब आपको हमसे कोई संदेश नहीं मिलेगा।",
        "id": "Anda telah berhenti berlangganan. Anda tidak akan menerima pesan lagi dari kami.",
        "it": "La disiscrizione è registrata. Non riceverà più messaggi da noi.",
        "ja": "配信を停止しました。今後、メッセージはお送りしません。",
        "ko": "수신거부가 완료되었습니다. 더 이상 메시지를 보내지 않습니다.",
        "nl": "U bent afgemeld. U ontvangt geen berichten meer van ons.",
        "pl": "Rezygnacja została zapisana. Nie będziemy wysyłać więcej wiadomości.",
        "pt": "A sua inscrição foi cancelada. Não receberá mais mensagens nossas.",
        "ru": "Вы отписаны. Мы больше не будем присылать вам сообщения.",
        "sv": "Du är avregistrerad. Du får inga fler meddelanden från oss.",
        "tr": "Aboneliğiniz sonlandırıldı. Bizden artık mesaj almayacaksınız.",
        "zh": "您已退订，我们不会再向您发送消息。",
    }
)
