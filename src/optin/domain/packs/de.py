"""German: STOPP and ABMELDEN (R10).

ABBRECHEN, ENDE and STORNIEREN answer bookings. Newsletters are "abbestellt", so are newspapers.
Sources: the default lists of the large senders (de), WhatsApp newsletters' footers.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

GERMAN: Final = Pack(
    stop=words("""
        stopp, stop, stoppen, stoppt, alles stoppen, abmelden, mich abmelden, abmeldung
        ich möchte mich abmelden, ich moechte mich abmelden, ich will mich abmelden
        melde mich ab, ich melde mich ab, meldet mich ab, melden sie mich ab, mich austragen
        tragt mich aus, bitte tragen sie mich aus, abbestellen, deabonnieren
        aus verteiler löschen, aus verteiler loeschen, aus dem verteiler löschen
        aus der liste löschen, löscht mich aus dem verteiler, nehmt mich aus dem verteiler
        löscht meine nummer, löschen sie meine nummer, meine nummer löschen, nummer löschen
        nicht mehr schreiben, schreibt mir nicht mehr, schreib mir nicht mehr
        schreiben sie mir nicht mehr, nicht mehr kontaktieren, kontaktiert mich nicht
        nicht mehr anschreiben, kontaktieren sie mich nicht mehr, kontaktiert mich nicht mehr
        keinen kontakt mehr, hört auf zu schreiben, hör auf zu schreiben
        hört auf mir zu schreiben, lasst mich in ruhe, nehmt mich bitte aus dem verteiler
        löscht bitte meine nummer, bitte löschen sie meine nummer, bitte keine nachrichten
        hört auf zu senden, hören sie auf zu schreiben, hoert auf zu schreiben
        schickt mir nichts mehr, schicken sie mir nichts mehr, hört auf damit, hör auf damit
        hören sie auf damit, hoert auf damit, lasst das
        schickt mir bitte nichts mehr
        """),
    start=words("start"),
    help=words("hilfe, info"),
    alone=words("austragen, aufhören, aufhoeren, hört auf, hoert auf, hören sie auf"),
    ending=words("""
        keine, keine weiteren, ich will keine, ich möchte keine, ich moechte keine, kein
        schluss mit, will keine, möchte keine, wollen keine, schickt mir keine, schickt keine
        sendet keine, senden sie keine, schicken sie keine, genug von
        """),
    refusing=words("""
        keine, kein, ich will keine, ich möchte keine, ich moechte keine, will keine
        möchte keine, wollen keine
        """),
    marketing_stop=words("keine werbung, keine angebote, keine newsletter, kein newsletter"),
    messages=words("nachrichten mehr, sms mehr, whatsapps mehr"),
    sending=words("""
        nachricht, nachrichten, sms, whatsapp, whatsapps, mitteilungen, benachrichtigung*
        mails, spam, schreiben, schreibt, schicken, schickt, senden, sendet, zusenden
        zuschicken, anschreiben, kontaktieren, kontaktiert, kontakt, verteiler, belästig*
        """),
    promotions=words("""
        werbung, werbe*, reklame, angebote, aktionen, promotion*, promo, promos, marketing
        newsletter, newsletters, rundmails
        """),
    polite=words("""
        bitte, danke, vielen dank, besten dank, dankeschön, hallo, hi, guten tag, guten morgen
        moin, servus, grüezi, mich, mir, von, vom, an, mit, die, den, der, das, euch, eure
        euren, ihre, ihren, diese, dieser, alle, alles, sofort, jetzt, endlich, umgehend, ab
        mehr, meine nummer, diese nummer, aus, verteiler, aus dem verteiler, aus der liste
        newsletter bitte, ich will
        """),
    idioms=words("non stop, stop and go"),
    risky=words("entfernen, widerruf, ende, abbrechen, stornieren, nein, 1, kündigen, raus"),
    risky_start=words("ja, anmelden, weiter, abonnieren"),
    replying=words("""
        antworte, antworten, antwortet, sende, senden, sendet, schreibe, schreib, schreiben
        schreibt, schicke, schick, schicken, antwort
        """),
    leaving=words("""
        abmelden, abzumelden, abbestellen, abzubestellen, austragen, auszutragen, stoppen
        zu stoppen, keine nachrichten mehr, nicht mehr erhalten, keine weiteren nachrichten
        abmeldung, keine werbung mehr
        """),
)
