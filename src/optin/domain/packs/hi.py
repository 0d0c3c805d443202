"""Hindi, in its own script and in Latin letters as it is typed on phones (R10).

बंद also means "closed", so it counts as a whole message and with messages only. रद्द ("cancel")
answers bookings. Sources: Indian senders' footers, the large senders' lists (hi), usual wordings.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

HINDI: Final = Pack(
    stop=words("""
        बंद करो, बंद करें, बंद करे, बंद कर दो, बंद कर दें, बंद कीजिए, बन्द करो, बन्द करें
        सब बंद करो, रोकें, रोको, रोक दो, रोक दें, रोकिए, स्टॉप, stop, stop karo, stop kar do
        stop kardo, stop kijiye, unsubscribe, unsubscribe karo, unsubscribe kar do
        सदस्यता समाप्त, सदस्यता समाप्त करें, सदस्यता रद्द करें, अनसब्सक्राइब
        अनसब्सक्राइब करें, band karo, band kar do, band kardo, band karen, band kare
        band kijiye, bandh karo, bandh kar do, band kro, bnd kro, roko, rok do, mujhe hatao
        mera number hatao, मेरा नंबर हटाओ, मेरा नंबर हटा दो, मेरा नंबर हटाएं
        mera number hata do, mera number delete karo, मैसेज मत भेजो, मैसेज मत भेजना
        मैसेज न भेजें, मैसेज मत करो, संदेश न भेजें, संदेश मत भेजो, message mat bhejo
        message mat karo, msg mat bhejo, msg mat karo, sms mat bhejo, messages mat bhejo
        mat bhejo message, मैसेज नहीं चाहिए, message nahi chahiye, मुझे मैसेज नहीं चाहिए
        mujhe message mat karo, mujhe message mat bhejo, pareshan mat karo
        मुझे मत भेजो, mujhe mat bhejo
        """),
    start=words("शुरू, शुरू करें, start, shuru, shuru karo"),
    help=words("मदद, सहायता, help, madad, info"),
    alone=words("बंद, बन्द"),
    ending=words("""
        मत भेजो, मत भेजना, न भेजें, मत भेजें, नहीं चाहिए, नही चाहिए, mat bhejo, mat bhejna
        mat bhejiye, nahi chahiye, nhi chahiye, nahin chahiye, no more
        """),
    marketing_stop=words("विज्ञापन नहीं चाहिए, ads nahi chahiye, no ads"),
    messages=words("""
        मैसेज, मेसेज, मैसेजेस, संदेश, सन्देश, एसएमएस, व्हाट्सएप, message, messages, msg, msgs
        sms, texts, whatsapp, spam, स्पैम
        """),
    sending=words("""
        भेजना, भेजते, भेजो, भेज, भेजे, संपर्क, sending, send, bhejna, bhej, bhejte, bhejo
        texting, contact, लिस्ट, list
        """),
    promotions=words("""
        विज्ञापन, विज्ञापनों, प्रचार, ऑफर, ऑफ़र, ऑफर्स, प्रमोशन, मार्केटिंग, ads, ad, promo
        promos, promotion, promotions, offers, offer, marketing, prachar, vigyapan
        """),
    polite=words("""
        कृपया, प्लीज, प्लीज़, धन्यवाद, शुक्रिया, नमस्ते, मुझे, मेरे, को, ये, यह, सब, सारे, अब
        अभी, से, तुरंत, और, वाले, जी, का, के, please, plz, pls, kripya, dhanyavad, thanks
        namaste, hello, hi, mujhe, mere, ko, ye, yeh, sab, sare, ab, abhi, turant, aur, wale
        ji, me, ke, bhai, na, yaar, भाई, ना, यार
        """),
    risky=words("हटाओ, हटाएं, रद्द, रद्द करें, नहीं, cancel, nahi, band, 1"),
    risky_start=words("हाँ, हां, haan, yes, जारी"),
    replying=words("""
        भेजें, लिखें, लिखकर, जवाब दें, उत्तर दें, रिप्लाई करें, bheje, bhejen, likhe, reply
        टाइप करें
        """),
    leaving=words("""
        बंद करने, रोकने, हटने, सदस्यता समाप्त, सदस्यता रद्द, अनसब्सक्राइब, न पाने, नहीं चाहते
        band karne, rokne, unsubscribe, stop, opt out
        """),
)
