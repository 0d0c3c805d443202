"""Spanish: BAJA is what senders in Spain and Latin America print on their messages (R10).

ALTA is its opposite. CANCELAR and ALTO answer bookings; "para" is above all the word "for".
Sources: the default lists of Sinch (es) and of Latin American senders; usual wordings.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

SPANISH: Final = Pack(
    stop=words("""
        baja, stop, parar, parar todo, desuscribir, desuscribirme, desuscribirse, desuscríbeme
        desuscríbanme, desinscribir, desinscribirme, cancelar suscripción a mensajes
        darme de baja, darse de baja, dar de baja, dame de baja, deme de baja, denme de baja
        dadme de baja, quiero darme de baja, quiero la baja, solicito la baja, solicito baja
        quiero darme de baja de la lista, me doy de baja, borrar mi número, borren mi número
        elimina mi número, eliminen mi número, eliminar mi número, deja de escribirme
        dejen de escribirme, deje de escribirme, dejad de escribirme, deja de enviarme
        dejen de enviarme, deje de enviarme, dejad de enviarme, deja de mandarme
        dejen de mandarme, deje de mandarme, dejad de mandarme, deja de enviar
        dejen de enviar, deje de enviar, dejen de mandar, dejen de molestar
        dejen de molestarme, deja de molestarme, no me escriban, no me escribas, no me escriba
        no me escribáis, no me escriban más, no me escribas más, no me escribáis más
        no me escriba más, no me contacten, no me contacten más, no escribir más
        cancelar mensajes, cancelar los mensajes, no me envíen más mensajes
        no me manden más mensajes, no me envíe más mensajes, no me mande más mensajes
        no me envíes más mensajes, no me mandes más mensajes, deja de mandarme mensajes
        no me envíen más, no me envíes más, no me manden más, no me mandes más
        cancelar suscripción, paren con esto, ya paren
        """),
    start=words("alta"),
    help=words("ayuda, info"),
    alone=words("detener, deténganse, paren"),
    ending=words("""
        no más, no mas, no quiero, no quiero más, no deseo, no deseo más, no quiero recibir
        no quiero recibir más, no deseo recibir, no deseo recibir más, no envíen
        no envíen más, no me envíen, no me envíes, no enviar más, no enviar, no me manden
        no me mandes, no manden más, ya no quiero, ya no quiero más, ya no quiero recibir
        ya no quiero recibir más, basta de, bloquear
        """),
    refusing=words("no quiero, no deseo, ya no quiero"),
    marketing_stop=words("no publicidad, no promociones, sin publicidad"),
    messages=words("""
        mensaj*, sms, whatsapp, whatsapps, wasap, wasaps, notificaciones, avisos, spam
        """),
    sending=words("""
        enviar*, enviando, envían, enviáis, envíen, envíes, mandar*, mandando, mandan, mandáis
        manden, escribir*, escribiendo, escriban, contactar*, contacten, molestar*, lista
        """),
    promotions=words("""
        publicidad, promocion*, promo, promos, ofertas, oferta, anuncios, marketing
        propaganda, campañas, newsletter, boletín, boletines
        """),
    polite=words("""
        por favor, porfavor, porfa, xfa, favor, gracias, muchas gracias, hola, buenas
        buenos días, buenas tardes, buenas noches, me, mi, a, de, del, la, los, las, el
        mi número, número, este número, todo, todos, ya, ahora, ahora mismo, inmediatamente
        más, estos, sus, tus, con, deseo, solicito, quiero la, la lista
        """),
    idioms=words("""
        más baja, muy baja, tan baja, menos baja, baja calidad, baja médica, baja laboral
        temporada baja, planta baja, sin parar
        """),
    risky=words("salir, remover, cancelar, alto, fin, no, 1, para, para ya"),
    risky_start=words("sí, suscribir, suscribirme, reanudar, iniciar, empezar"),
    replying=words("""
        responde, responda, responder, respondan, respóndenos, contesta, conteste, contestar
        envía, envíe, enviar, escribe, escriba, escribir, manda, mande, texto, respondiendo
        """),
    leaving=words("""
        baja, darte de baja, darse de baja, dejar de recibir, no recibir
        cancelar la suscripción, cancelar tu suscripción, cancelar su suscripción
        desuscribirte, desuscribirse, salir de, no deseas recibir, no desea recibir
        no quieres recibir, parar, detener, no más mensajes
        """),
)
