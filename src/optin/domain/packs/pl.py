"""Polish: STOP, WYPISZ (R10).

ANULUJ and KONIEC answer bookings; "rezygnuję" declines an offer as often as a list.
Sources: Polish senders' footers, the large senders' lists (pl).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

POLISH: Final = Pack(
    stop=words("""
        stop, stop wszystko, wypisz, wypisz mnie, wypiszcie mnie, wypisać, wypisać mnie
        proszę mnie wypisać, wypisuję się, wypisz mnie z listy, wypis z listy
        anuluj subskrypcję, zrezygnuj z subskrypcji, rezygnuję z subskrypcji
        rezygnuję z wiadomości, rezygnuję z sms, zakończ subskrypcję, przestańcie pisać
        przestań pisać, przestańcie wysyłać, przestań wysyłać, proszę przestać
        proszę przestać pisać, proszę przestać wysyłać, przestańcie do mnie pisać, nie piszcie
        nie piszcie do mnie, nie piszcie więcej, nie pisz do mnie, proszę nie pisać
        proszę nie pisać więcej, proszę do mnie nie pisać, nie kontaktujcie się ze mną
        proszę się nie kontaktować, usuńcie mój numer, usuń mój numer, proszę usunąć mój numer
        usuńcie mnie, usuńcie mnie z listy, usuń mnie z listy, dajcie mi spokój
        zostawcie mnie
        nie wysyłajcie więcej, nie przysyłajcie więcej, nie przysyłajcie mi, nie wysyłajcie mi
        przestańcie z tym
        """),
    start=words("start"),
    help=words("pomoc, info"),
    alone=words("przestańcie, przestań, dość, wyrejestruj"),
    ending=words("""
        nie wysyłać, nie wysyłajcie, nie wysyłaj, nie przysyłajcie, nie przysyłać
        nie przysyłaj, nie wysyłać więcej, nie chcę, nie chcę więcej, nie chcę dostawać
        nie chcę więcej dostawać, nie chcę otrzymywać, nie życzę sobie, koniec, koniec z
        żadnych więcej
        """),
    refusing=words("nie chcę, nie życzę sobie, żadnych więcej"),
    marketing_stop=words("bez reklam, żadnych reklam, nie chcę reklam"),
    messages=words("""
        wiadomoś*, smsów, sms, smsy, sms-y, sms-ów, whatsapp, powiadomie*, spam, spamu
        """),
    sending=words("""
        wysyła*, wysła*, przysyła*, pisać, piszcie, piszecie, pisanie, kontakt*, spamow*
        listy, nękać, nękanie
        """),
    promotions=words("reklam*, promocj*, promocyjn*, ofert*, marketing*, newsletter*"),
    polite=words("""
        proszę, prosze, bardzo proszę, dziękuję, dziekuje, dzięki, dzień dobry, cześć, witam
        mnie, mi, do mnie, z, ze, z listy, tej listy, te, tych, tymi, wszystko, wszystkie
        natychmiast, teraz, już, więcej, mój numer, ten numer, wasze, waszych, na ten numer
        """),
    idioms=words("wypisz mi"),
    risky=words("usuń, wyłącz, anuluj, rezygnuję, rezygnuje, koniec, nie, 1"),
    risky_start=words("tak, zapisz, zapisz mnie, wznów"),
    replying=words("""
        odpowiedz, odpowiedzieć, odpisz, odpisać, wyślij, wysłać, napisz, odpowiadając
        """),
    leaving=words("""
        wypisać, wypisz się, zrezygnować, rezygnacji, rezygnacja, nie otrzymywać
        przestać otrzymywać, zatrzymać, nie chcesz otrzymywać, nie chcesz więcej, rezygnujesz
        wypisania
        """),
)
