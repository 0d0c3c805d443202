"""Italian: STOP, BASTA, DISISCRIVI (R10).

CANCELLA and ANNULLA answer bookings; "basta" in a sentence means "it is enough".
Sources: the default lists of the large senders (it), Italian senders' footers.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

ITALIAN: Final = Pack(
    stop=words("""
        stop, stop tutto, disiscrivi, disiscrivimi, disiscrivetemi, disiscrivermi
        disiscrizione, voglio disiscrivermi, vorrei disiscrivermi, mi disiscrivo
        annulla iscrizione, cancella iscrizione, cancellami, cancellatemi, mi cancelli
        cancellatemi dalla lista, cancellami dalla lista, toglietemi dalla lista
        toglimi dalla lista, rimuovetemi, rimuovimi, rimuovetemi dalla lista
        cancellate il mio numero, rimuovete il mio numero, non scrivetemi, non scrivetemi più
        non scrivermi, non scrivermi più, non mi scrivete più, non mi scriva più
        non contattatemi, non contattatemi più, non mi contattate più, smettetela
        smettetela di scrivermi, smettete di scrivermi, smettila di scrivermi
        smettetela di mandarmi, smettete di mandarmi, smettetela di mandare
        smettere di scrivermi, smettere di mandarmi, smettere di mandare, basta per favore
        lasciatemi in pace, basta scrivermi, basta mandarmi
        non mandatemi più, non inviatemi più, smettetela con questo
        """),
    start=words("inizia"),
    help=words("aiuto, info"),
    alone=words("basta, ferma, fermate, fermatevi, interrompi"),
    ending=words("""
        niente più, non voglio, non voglio più, non voglio ricevere, non voglio più ricevere
        non desidero, non desidero più, non desidero ricevere, non mandatemi, non mandate
        non mandate più, non inviate, non inviate più, non inviatemi, blocca
        """),
    refusing=words("non voglio, non desidero"),
    marketing_stop=words("no pubblicità, niente pubblicità, niente promozioni"),
    messages=words("messaggi*, msg, sms, whatsapp, notifiche, notifica, spam"),
    sending=words("""
        mandar*, mandate, mandando, inviar*, inviate, inviando, scriver*, scrivete, scrivendo
        contattar*, contattate, lista, disturbar*
        """),
    promotions=words("""
        pubblicit*, promozion*, promo, offerte, offerta, annunci, marketing, newsletter
        campagne
        """),
    polite=words("""
        per favore, perfavore, per piacere, per cortesia, cortesemente, prego, grazie
        grazie mille, ciao, salve, buongiorno, buonasera, mi, a, con, con i, con le, di
        dalla lista, i, le, la, il, gli, questi, questo numero, il mio numero, tutto, tutti
        subito, adesso, ora, più, immediatamente, vostri, vostre, questa
        """),
    idioms=words("non basta, mi basta, basta così, basta cosi, non stop, mi fermo, si ferma"),
    risky=words("rimuovi, rimuovere, cancella, annulla, fine, no, 1, esci"),
    risky_start=words("sì, iscrivi, iscrivimi, continua, avvia"),
    replying=words("""
        rispondi, rispondete, risponda, rispondere, invia, inviare, inviate, scrivi, scrivete
        scrivere, manda, mandate, digita
        """),
    leaving=words("""
        disiscriver*, disiscriverti, disiscriversi, disiscrivervi, disiscriverti dalla
        cancellarti, cancellarsi, non ricevere, non ricevere più, smettere di ricevere
        fermare, interrompere, annullare l'iscrizione, non vuoi più ricevere, stop
        """),
)
