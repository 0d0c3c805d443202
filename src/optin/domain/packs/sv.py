"""Swedish: STOPP, AVREGISTRERA (R10).

AVSLUTA and SLUT end chats and tell of empty shelves; AVBOKA is a booking's. A "stopp" is also a
blocked drain. Sources: Swedish senders' footers, the large senders' lists (sv).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

SWEDISH: Final = Pack(
    stop=words("""
        stopp, stop, stoppa, stoppa allt, avregistrera, avregistrera mig, avregistrering
        jag vill avregistrera mig, vill avregistrera mig, avanmäl, avanmäl mig, avanmälan
        avprenumerera, avprenumerera mig, avsluta prenumeration på utskick, ta bort mig
        ta bort mig från listan, ta bort mitt nummer, radera mitt nummer
        stryk mig från listan, snälla sluta, sluta snälla, sluta nu, sluta tack, sluta skicka
        sluta skriva, sluta skriva till mig, sluta smsa, sluta smsa mig, sluta messa mig
        sluta kontakta mig, kontakta mig inte, kontakta mig inte mer, kontakta mig inte igen
        skriv inte mer, skriv inte till mig, skicka inte mer, skicka inget mer
        lämna mig ifred
        sluta med det, sluta med detta
        """),
    start=words("starta, start"),
    help=words("hjälp, info"),
    alone=words("ta bort, sluta, avbryt utskick"),
    ending=words("""
        inga fler, inga mer, skicka inga fler, skicka inte, skicka inte fler, jag vill inte ha
        jag vill inte ha fler, vill inte ha, vill inte ha fler, vill inte ha några fler
        nog med
        """),
    refusing=words("inga fler, inga mer, jag vill inte ha, vill inte ha"),
    marketing_stop=words("ingen reklam, ingen mer reklam, inga erbjudanden, inga utskick"),
    messages=words("""
        meddelande, meddelanden, meddelandena, sms, mess, whatsapp, notiser, aviseringar, spam
        """),
    sending=words("""
        skicka, skickar, skickat, skriva, skriver, smsa, messa, kontakta, kontaktar, kontakt
        utskick, utskicken, lista, listan
        """),
    promotions=words("""
        reklam, reklamen, reklamutskick, erbjudande*, kampanj*, marknadsföring, nyhetsbrev*
        promotion*, annonser
        """),
    polite=words("""
        snälla, tack, tack så mycket, vänligen, var snäll, hej, hejsan, god dag, mig, med
        till, från, era, er, alla, allt, nu, genast, omedelbart, fler, mer, mitt nummer
        detta nummer, den här listan, de här, dessa, jag vill, vill, listan, all
        """),
    idioms=words("stopp i, non stop"),
    risky=words("avsluta, slut, avbryt, nej, 1"),
    risky_start=words("ja, anmäl, prenumerera, fortsätt"),
    replying=words("svara, svarar, skicka, skriv, sms:a, smsa, messa, sänd"),
    leaving=words("""
        avregistrera, avsluta prenumerationen, avanmäla, avprenumerera, sluta få
        inte längre få, stoppa, slippa, slippa fler, inte vill ha, inte få fler, avanmäl
        avregistrering
        """),
)
