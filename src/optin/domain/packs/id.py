"""Indonesian (and Malay): BERHENTI, STOP, UNREG (R10).

BATAL cancels orders and bookings. UNREG is the word of Indonesia's premium text messages.
Sources: Indonesian senders' footers, the large senders' lists (id, ms), usual wordings.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

INDONESIAN: Final = Pack(
    stop=words("""
        berhenti, stop, stop semua, unreg, unsub, unsubscribe, berhenti berlangganan
        stop berlangganan, batal berlangganan, batalkan langganan, berhenti langganan
        hentikan, hentikan semua, henti, saya mau berhenti berlangganan, hapus nomor saya
        tolong hapus nomor saya, hapus saya, keluarkan saya dari daftar
        hapus saya dari daftar, jangan hubungi saya, jangan hubungi saya lagi, jangan wa saya
        jangan wa saya lagi, jangan wa lagi, jangan chat saya lagi, jangan chat lagi
        jangan sms saya lagi, jangan kirim apa apa lagi, jangan ganggu saya, jangan ganggu
        tidak mau menerima pesan, tidak mau terima pesan, tidak ingin menerima pesan
        saya tidak mau menerima pesan, jangan kirim pesan, jangan kirim pesan lagi
        jangan kirim lagi, jangan kirimi saya, jangan kirim saya lagi
        """),
    start=words("mulai, daftar lagi"),
    help=words("bantuan, info, tolong bantu"),
    alone=words("keluar dari daftar, sudahi"),
    ending=words("""
        jangan, jangan kirim, jangan kirim saya, jangan kirimkan, tidak mau, tidak mau terima
        saya tidak mau, saya tidak mau terima, gak mau, ga mau, tidak ingin, cukup
        """),
    refusing=words("jangan, tidak mau, saya tidak mau, gak mau, ga mau, tidak ingin"),
    marketing_stop=words("tanpa iklan, tidak mau iklan, jangan iklan"),
    messages=words("pesan lagi, sms lagi, wa lagi, chat lagi, spam, notifikasi"),
    sending=words("""
        kirim*, mengirim*, dikirim*, pesan, pesannya, sms, wa, whatsapp, chat, spam, hubungi
        menghubungi, kontak saya, menerima, daftar, ganggu
        """),
    promotions=words("promo, promosi*, iklan*, penawaran*, marketing, newsletter, kampanye"),
    polite=words("""
        tolong, mohon, harap, silakan, terima kasih, makasih, trims, thanks, ya, yah, dong
        kak, min, pak, bu, halo, hai, selamat pagi, selamat siang, selamat sore, selamat malam
        saya, ke, ke saya, dari, ini, itu, lagi, sekarang, segera, semua, nomor saya
        nomor ini, please, pls, aja, deh, sudah
        """),
    idioms=words("stop kontak, non stop"),
    risky=words("hapus, batal, batalkan, tidak, selesai, keluar, end, cancel, 1"),
    risky_start=words("ya, daftar, lanjut, reg"),
    replying=words("balas, ketik, kirim, balas dengan, kirimkan, jawab, membalas"),
    leaving=words("""
        berhenti, untuk berhenti, menghentikan, berhenti berlangganan, tidak menerima
        tidak ingin menerima, berhenti menerima, keluar dari daftar, unsubscribe, stop
        """),
)
