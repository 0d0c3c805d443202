"""Chinese, simplified and traditional: 退订, 停止, and TD as Chinese carriers print it (R10).

取消 ("cancel") answers bookings. T, N and R are printed, too, but are letters like any other.
Sources: Chinese senders' footers (回T退订, 拒收请回复R), the large senders' lists (zh).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

CHINESE: Final = Pack(
    stop=words("""
        退订, 退訂, td, stop, 停止, 停止订阅, 停止訂閱, 取消订阅, 取消訂閱, 取消关注推送
        取消訂閲, 退订所有, 全部退订, 我要退订, 我要退訂, 我想退订, 我想退訂, 拒绝接收
        拒絕接收, 取消接收, 停止接收, 停止发送, 停止發送, 停止推送, 停止骚扰, 停止騷擾
        不要再发送, 不要再發送, 不要再聯絡我, 不要再联系我, 别再联系我, 別再聯絡我, 请勿打扰
        請勿打擾, 别再骚扰我, 不要再骚扰我, 不要骚扰我, 不要打扰我, 删除我的号码, 刪除我的號碼
        不要再发, 不要再發, 不要再传, 不要再傳, 不要再给我发, 不要再給我發, 别再发, 別再發
        别再给我发, 別再給我發
        """),
    start=words("开始, 開始, 恢复订阅, 恢復訂閱"),
    help=words("帮助, 幫助, 說明"),
    ending=words("""
        不要给我发, 不要給我發, 别给我发, 別給我發, 别发, 別發, 不要发, 不要發, 不想收到
        不想再收到, 不想再收, 不再接收, 不要, 停发, 停發, 停止发, 停止發, 请勿发, 請勿發, 屏蔽
        """),
    refusing=words("不要"),
    marketing_stop=words("不要广告, 不要廣告, 拒收广告, 拒收廣告, 不看广告"),
    messages=words("""
        信息, 訊息, 消息, 短信, 簡訊, 短讯, 微信, 邮件, 垃圾信息, 垃圾短信, 垃圾訊息, 推送
        whatsapp, sms
        """),
    sending=words("""
        通知, 发送, 發送, 传送, 傳送, 给我发, 給我發, 再发, 再發, 骚扰, 騷擾, 打扰, 打擾
        收到你们
        """),
    promotions=words("""
        广告, 廣告, 促销, 促銷, 推广, 推廣, 营销, 營銷, 行銷, 宣传, 宣傳, 优惠, 優惠
        """),
    polite=words("""
        请, 請, 麻烦, 麻煩, 麻烦你, 谢谢, 謝謝, 多谢, 多謝, 你好, 您好, 给我, 給我, 我, 你们的
        你們的, 的, 了, 吧, 一下, 所有, 全部, 这些, 這些, 现在, 現在, 立即, 马上, 馬上, 再, 啊
        发, 發, 此, 这个, 們, 好吗
        """),
    idioms=words("停止营业, 停止營業, 停止销售, 停止銷售, 停止服务"),
    risky=words("拒收, 取消, t, n, r, 不, 结束, 結束, 1, 0000"),
    risky_start=words("是, 好, 订阅, 訂閱, 继续, 繼續"),
    replying=words("回复, 回復, 回覆, 回, 发送, 發送, 输入, 輸入, 请回, 請回"),
    leaving=words("退订, 退訂, 拒收, 取消订阅, 取消訂閱, 停止接收, 不再接收, 不想收到, 停止"),
    spaced=False,
)
