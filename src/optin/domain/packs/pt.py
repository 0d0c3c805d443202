"""Portuguese: SAIR is what Brazilian senders print on their messages (R10).

CANCELAR answers bookings; "sai" and "saiu" are said of parcels, so only whole forms are here.
Sources: the default lists of Sinch (pt) and of Brazilian senders; usual wordings.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

PORTUGUESE: Final = Pack(
    stop=words("""
        sair, stop, parar, parar tudo, pare, parem, descadastrar, descadastre, descadastro
        parem de me incomodar, pare de me incomodar, me descadastrar, me descadastre
        me descadastrem, descadastrar-me, desinscrever, cancelar inscrição, quero sair
        quero sair da lista, sair da lista, me tira da lista, me tire da lista
        me tirem da lista, me tira dessa lista, me tirem dessa lista, tira meu número
        tirem meu número, tire meu número, remover meu número, remova meu número
        removam meu número, apagar meu número, apaguem meu número, pare de me mandar
        parem de me mandar, para de me mandar, pare de mandar, parem de mandar, para de mandar
        pare de enviar, parem de enviar, pare de me enviar, parem de me enviar, para de enviar
        deixem de enviar, deixe de enviar, parar de receber, parar de enviar
        quero parar de receber, não me mande mais, não me mandem mais, não me escreva mais
        não me escrevam mais, não me envie mais, não me enviem mais, não me contate
        não me contatem, não me chame mais, não me chamem mais, cancelar mensagens
        não me mande mais mensagem, não me mande mais mensagens, não me mandem mais mensagens
        não me envie mais mensagens, não me enviem mais mensagens, pare de me mandar mensagem
        parem de me mandar mensagem, pare de me mandar mensagens, parem de me mandar mensagens
        """),
    start=words("iniciar, voltar a receber"),
    help=words("ajuda, info"),
    alone=words("remover, remova, me remova, me removam, interromper"),
    ending=words("""
        não quero, não quero mais, não quero receber, não quero mais receber
        não quero receber mais, não desejo, não desejo mais, não desejo receber, não mande
        não mandem, não mande mais, não mandem mais, não envie, não enviem, não envie mais
        não enviem mais, não enviar, não me mande, não me mandem, não me envie, não me enviem
        chega de, sem mais, bloquear, nada de
        """),
    refusing=words("não quero, não desejo, nada de"),
    marketing_stop=words("sem propaganda, sem promoções, sem publicidade"),
    messages=words("mensag*, msg, msgs, sms, whatsapp, zap, zaps, notificações, avisos, spam"),
    sending=words("""
        mandar*, mandando, mandam, mande, mandem, enviar*, enviando, enviam, enviem, escrever*
        escrevam, contatar*, contato, lista, incomodar*, perturbar*
        """),
    promotions=words("""
        promoç*, promo, promos, propaganda*, publicidade, ofertas, oferta, anúncios, anúncio
        marketing, campanhas, newsletter, newsletters
        """),
    polite=words("""
        por favor, porfavor, pf, pfv, favor, por gentileza, obrigado, obrigada, obg, grato
        grata, oi, olá, bom dia, boa tarde, boa noite, me, meu número, este número
        esse número, de, do, da, dos, das, a, o, os, as, tudo, todas, todos, já, agora
        imediatamente, mais, essas, esses, suas, seus, com, com as, com os, isso
        """),
    risky=words("cancelar, fim, não, 1, para"),
    risky_start=words("sim, assinar, começar, continuar, retomar"),
    replying=words("""
        responda, responder, responde, respondam, envie, enviar, envia, mande, manda, escreva
        escrever, digite, digita, respondendo
        """),
    leaving=words("""
        sair, parar de receber, deixar de receber, não receber, cancelar a inscrição
        cancelar sua inscrição, descadastrar, se descadastrar, remover, parar
        não deseja receber, não quer mais receber, não deseja mais receber, não quiser receber
        não quiser mais receber
        """),
)
