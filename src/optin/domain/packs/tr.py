"""Turkish: DUR, DURDUR (R10).

RET ("refused") and İPTAL ("cancelled") are printed on Turkish text messages, but answer bookings
and approvals too. Sources: the message rules of the Turkish opt-out register (RET), senders' lists.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

TURKISH: Final = Pack(
    stop=words("""
        dur, stop, durdur, durdurun, durdurunuz, abonelikten çık, abonelikten çıkar
        abonelikten çıkmak istiyorum, aboneliği sonlandır, aboneliğimi sonlandırın
        listeden çık, listeden çıkar, listeden çıkarın, listeden çıkmak istiyorum
        beni listeden çıkar, beni listeden çıkarın, beni çıkarın, numaramı silin, numaramı sil
        numaramı çıkarın, mesaj atmayın, mesaj atma, mesaj atmayınız, bana mesaj atmayın
        mesaj göndermeyin, mesaj gönderme, mesaj göndermeyiniz, bana mesaj göndermeyin
        mesaj yollamayın, mesaj yazmayın, sms atmayın, sms göndermeyin, yazmayın
        bana yazmayın, bana yazma, yazmayın bana, mesaj istemiyorum, mesajları durdur
        mesajları durdurun, mesajlarınızı istemiyorum, mesaj almak istemiyorum
        sms istemiyorum, sms almak istemiyorum, rahatsız etmeyin, beni rahatsız etmeyin
        mesaj iptal, mesajları iptal edin, sms iptal, aramayın yazmayın
        artık göndermeyin, artık atmayın, bir daha göndermeyin, bana göndermeyin
        bir daha atmayın
        """),
    start=words("başla, başlat"),
    help=words("yardım, bilgi"),
    alone=words("durdurmak, durdurabilirim, durdururum, sonlandır"),
    ending=words("""
        istemiyorum, istemiyoruz, göndermeyin, gönderme, göndermeyiniz, atmayın, atma
        yollamayın, almak istemiyorum, yeter
        """),
    marketing_stop=words("reklam istemiyorum, reklamsız"),
    messages=words("mesaj*, sms, smsler, whatsapp, bildirim*, spam"),
    sending=words("gönder*, atmak, atma*, yolla*, yazma*, iletişim*, listeden, rahatsız"),
    promotions=words("reklam*, kampanya*, promosyon*, tanıtım*, fırsat*, bülten*, indirim*"),
    polite=words("""
        lütfen, lutfen, rica ederim, teşekkürler, teşekkür ederim, tşk, merhaba, selam
        iyi günler, bana, beni, artık, daha, hemen, şimdi, bu, şu, tüm, bütün, hepsini
        numaramı, numarama, numaraya, bir daha, fazla, ya, mesajı
        """),
    risky=words("çıkar, kaldır, iptal, ret, red, hayır, son, çıkış, çık, 1"),
    risky_start=words("evet, devam, katıl, kayıt"),
    replying=words("""
        yaz, yazın, yazınız, yazıp, yazarak, gönder, gönderin, gönderip, cevapla, yanıtla
        """),
    leaving=words("""
        çıkmak, ayrılmak, durdurmak, almak istemiyorsanız, istemiyorsanız, almamak
        iptal etmek için, sonlandırmak, abonelikten, reddetmek, listeden
        """),
)
