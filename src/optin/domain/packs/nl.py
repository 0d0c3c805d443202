"""Dutch: STOP, AFMELDEN, UITSCHRIJVEN (R10).

ANNULEREN and EINDE answer bookings. Sources: the Dutch text-message code of conduct (STOP UIT),
the default lists of the large senders (nl).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

DUTCH: Final = Pack(
    stop=words("""
        stop, stop uit, stop alles, stop ermee, afmelden, afmelding, me afmelden, mij afmelden
        ik wil me afmelden, ik wil mij afmelden, ik meld me af, meld me af, meld mij af
        uitschrijven, me uitschrijven, mij uitschrijven, schrijf me uit, schrijf mij uit
        uitschrijving, ik wil me uitschrijven, stop met appen, stop met sturen
        stop met schrijven, stop met berichten, stop met whatsappen, stop met sms'en
        niet meer appen, niet meer sturen, niet meer schrijven, niet meer benaderen
        niet meer contacteren, app me niet meer, schrijf me niet meer, stuur me niets meer
        benader me niet meer, verwijder mijn nummer, verwijder mij, verwijder me
        haal me van de lijst, haal mij van de lijst, haal me van jullie lijst, haal me eraf
        laat me met rust, geen contact meer
        stop hiermee, stop daarmee, hou hiermee op, hou daarmee op
        """),
    start=words("start"),
    help=words("hulp, help, info"),
    alone=words("stoppen, ophouden"),
    ending=words("""
        geen, geen enkele, stuur geen, stuur me geen, stuur mij geen, stuurt u geen
        ik wil geen, wil geen, graag geen, blokkeer, hou op met
        """),
    refusing=words("geen, geen enkele, ik wil geen, wil geen, graag geen"),
    marketing_stop=words("geen reclame, geen aanbiedingen, geen nieuwsbrief"),
    messages=words("""
        berichten meer, appjes meer, sms meer, sms'jes meer, apps meer, whatsapps meer
        """),
    sending=words("""
        bericht, berichten, berichtjes, appjes, appen, sms, sms'en, sms'jes, whatsapp
        whatsappen, meldingen, spam, sturen, stuur, stuurt, schrijven, schrijft, contact
        contacteren, benaderen, lijst, lastigvallen
        """),
    promotions=words("""
        reclame, reclames, aanbieding*, acties, promotie*, promo, marketing, nieuwsbrief*
        advertenties
        """),
    polite=words("""
        aub, a.u.b., alstublieft, alsjeblieft, svp, graag, bedankt, dank u, dank je
        dank u wel, dankjewel, hallo, hoi, goedendag, goedemorgen, goedemiddag, beste, me, mij
        van, voor, aan, met, de, deze, die, jullie, uw, alle, alles, nu, direct, onmiddellijk
        meer, mijn nummer, dit nummer, het, ik wil, a u b
        """),
    risky=words("verwijderen, opzeggen, annuleren, einde, nee, 1, uit"),
    risky_start=words("ja, aanmelden, inschrijven, doorgaan"),
    replying=words("""
        antwoord, antwoorden, beantwoord, stuur, sturen, reageer, reageren, app, typ, sms
        """),
    leaving=words("""
        af te melden, afmelden, uit te schrijven, uitschrijven, stoppen, te stoppen
        geen berichten meer, niet meer ontvangen, niet langer, afmelding
        """),
)
