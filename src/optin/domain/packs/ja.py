"""Japanese: 停止, 配信停止 (R10).

キャンセル and 終了 answer bookings. A stop word within a sentence mostly speaks of trains and
goods. Sources: Japan's law on commercial e-mail (配信停止), the large senders' lists (ja).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

JAPANESE: Final = Pack(
    stop=words("""
        停止, 配信停止, 配信解除, 配信中止, 受信拒否, 受信停止, 登録解除, 登録削除, 購読解除
        購読停止, ストップ, stop, 配信不要, 配信拒否, やめて, やめてください, やめて下さい
        配信を止めてください, 配信をやめてください, もう送らないで, もう送らないでください
        もう送らないで下さい, これ以上送らないでください, 送ってこないでください
        送ってこないで, メッセージを送らないでください, 連絡しないで, 連絡しないでください
        連絡してこないでください, 連絡不要, リストから外してください, 番号を削除してください
        メッセージ不要です, メッセージ不要, メッセージはいりません
        """),
    start=words("開始, 再開, 配信再開"),
    help=words("ヘルプ, 使い方"),
    alone=words("解除"),
    ending=words("""
        止めて, 止めてください, 止めて下さい, 送らないで, 送らないでください, 送らないで下さい
        いりません, いらない, 不要, 不要です, 要りません, 要らない, 中止, 結構です
        """),
    refusing=words("不要"),
    marketing_stop=words("広告不要, 広告拒否, 広告お断り"),
    messages=words("""
        メッセージ, メール, ライン, line, sms, ショートメール, whatsapp, スパム
        迷惑メール, お知らせ
        """),
    sending=words("通知, 配信, 送信, 送ら, 送って, 送る, 連絡, 届き, 届く"),
    promotions=words("""
        広告, 宣伝, プロモーション, 販促, キャンペーン, セール情報, メルマガ, マーケティング
        """),
    polite=words("""
        お願いします, お願い致します, お願いいたします, おねがいします, お願い, してください
        して下さい, して, にして, ください, 下さい, です, どうか, もう, 今後, これ以上, すぐに
        今すぐ, すべて, 全て, こんにちは, こんばんは, おはようございます, すみません
        恐れ入りますが, ありがとう, ありがとうございます, の, を, は, も, が, に, への, この
        私, 私に, 希望, 希望します, したい, したいです
        """),
    idioms=words("販売停止, 運転停止, 営業停止, 一時停止, バス停"),
    risky=words("退会, 解約, キャンセル, 終了, いいえ, 1, 中止"),
    risky_start=words("はい, 登録, 継続"),
    replying=words("返信, 送信, ご返信, 入力, 送って, 返答"),
    leaving=words("""
        停止, 解除, 配信を希望しない, 希望されない, 受け取らない, 不要な方, 不要の方, 退会
        """),
    spaced=False,
)
