"""French: STOP is the word of French law on text messages, ARRÊT and AIDE those of Canada (R10).

ANNULER, FIN and OUI answer bookings; "arrêt" is also a bus stop and a sick leave, which is why it
counts as a whole message but makes no request beside polite words.
Sources: AF2M's STOP SMS rules, Canada's short code rules (ARRET, AIDE, INFO), AWS's list (ARRET).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

FRENCH: Final = Pack(
    stop=words("""
        stop, stop tout, tout arrêter, arrêtez, arrête, arrêtez tout, arrêter, désabonner
        me désabonner, désabonnez-moi, désabonne-moi, désabonnement, se désabonner
        je veux me désabonner, je souhaite me désabonner, je me désabonne, désinscrire
        me désinscrire, désinscrivez-moi, désinscription, se désinscrire, je me désinscris
        je veux me désinscrire, je souhaite me désinscrire, désabo, ne m'écrivez plus
        ne m'écris plus, ne plus m'écrire, ne me contactez plus, ne plus me contacter
        arrêtez de m'écrire, arrête de m'écrire, arrêtez de me contacter, arrêtez de m'envoyer
        arrête de m'envoyer, arrêtez d'envoyer, arrêter de m'envoyer, arrêter de m'écrire
        cessez de m'écrire, cessez de m'envoyer, cessez de me contacter, cessez d'envoyer
        arrêtez vos messages, supprimez mon numéro, retirez mon numéro, retirez-moi
        retirez-moi de la liste, supprimez-moi de la liste, ne m'envoyez plus rien
        laissez-moi tranquille, foutez-moi la paix
        ne m'envoyez plus, arrêtez ça, arrête ça, arrêtez avec ça
        """),
    start=words("début, reprendre"),
    help=words("aide, info"),
    alone=words("arrêt"),
    ending=words("""
        plus de, plus aucun, je ne veux plus de, je ne veux pas de, je ne veux plus
        je ne veux plus recevoir de, je ne veux plus recevoir, ne plus recevoir de
        ne plus recevoir, ne m'envoyez plus de, ne m'envoie plus de, n'envoyez plus de
        n'envoyez plus, finis les, bloquer
        """),
    refusing=words("je ne veux pas de"),
    marketing_stop=words("pas de pub, pas de publicité, pas de promotions, plus de pub"),
    messages=words("""
        message, messages, sms, texto, textos, whatsapp, whatsapps, notification
        notifications, msg, msgs, spam, spams
        """),
    sending=words("""
        envoyer, envoyez, envoi, envois, envoie, écrire, écrivez, contacter, contactez
        contact, harceler, harcèlement, liste, liste de diffusion
        """),
    promotions=words("""
        pub, pubs, publicité*, publicitaire*, promo, promos, promotion*, offres, offre
        annonces, marketing, newsletter, newsletters, démarchage
        """),
    polite=words("""
        svp, stp, s'il vous plaît, s'il te plaît, s'il vous plait, merci, merci de
        merci beaucoup, veuillez, bonjour, bonsoir, salut, me, moi, mon numéro, ce numéro, de
        des, du, les, le, la, vos, votre, ces, cette liste, à, aux, tout, tous, toutes
        maintenant, immédiatement, tout de suite, avec, avec les, avec vos, m, d, la liste
        cordialement
        """),
    idioms=words("arrêt de bus, arrêt maladie, arrêt de travail, non stop"),
    risky=words("résilier, supprimer, annuler, fin, non, 1"),
    risky_start=words("oui, abonner, m'abonner, commencer, continuer"),
    replying=words("""
        répondez, répondre, réponds, envoyez, envoyer, envoie, écrivez, écrire, tapez
        répondant
        """),
    leaving=words("""
        stop, désabonner, désinscrire, désinscription, désabonnement, ne plus recevoir
        arrêter, plus recevoir, se désabonner, vous désabonner, te désabonner
        vous désinscrire
        """),
)
