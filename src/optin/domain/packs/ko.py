"""Korean: 수신거부 is the word of Korea's law on advertising messages (R10).

취소 ("cancel") answers bookings. Words take endings, so requests are found letter by letter.
Sources: article 50 of the Network Act (수신거부), the large senders' lists (ko), usual wordings.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

KOREAN: Final = Pack(
    stop=words("""
        수신거부, 수신 거부, 수신거절, 수신차단, 수신해지, 수신중단, 그만, 스톱, 스탑, stop
        구독취소, 구독 취소, 구독해지, 구독중지, 구독중단, 발송중지, 발송중단, 전송중지
        그만보내, 그만보내세요, 그만 보내주세요, 그만보내줘, 그만하세요, 그만해주세요
        더이상 보내지마세요, 더 이상 보내지 마세요, 더는 보내지 마세요, 문자 보내지 말라
        메시지 보내지 말라, 보내지 말라고, 연락하지마, 연락하지마세요, 연락하지 말아주세요
        연락 그만, 문자하지마세요, 제 번호 삭제, 번호삭제, 제 번호 지워주세요
        명단에서 빼주세요
        """),
    start=words("시작, 수신동의, 재개"),
    help=words("도움말, 도움, 정보"),
    alone=words("중지, 중단, 정지, 차단, 거부"),
    ending=words("""
        보내지마, 보내지마세요, 보내지말아주세요, 보내지마십시오, 필요없어요, 필요없습니다
        원하지않아요, 원하지않습니다, 받고싶지않아요, 받기싫어요, 안받을래요
        """),
    marketing_stop=words("광고거부, 광고 거부, 광고차단, 광고 차단"),
    messages=words("""
        문자, 메시지, 메세지, 메일, 카톡, 알림, 알람, 톡, sms, 스팸, whatsapp, 왓츠앱
        """),
    sending=words("보내, 발송, 전송, 연락, 수신, 번호"),
    promotions=words("광고, 홍보, 프로모션, 마케팅, 이벤트, 할인, 뉴스레터, 쿠폰"),
    polite=words("""
        해주세요, 해주십시오, 해줘, 해줘요, 하세요, 합니다, 할게요, 할께요, 하겠습니다
        부탁드립니다, 부탁드려요, 부탁해요, 부탁합니다, 요청합니다, 요청드립니다, 원합니다
        신청합니다, 바랍니다, 제발, 좀, 이제, 더, 더이상, 더는, 다, 모두, 전부, 당장, 지금
        앞으로, 안녕하세요, 감사합니다, 고맙습니다, 요, 을, 를, 은, 는, 이, 가, 의, 도, 주세요
        시켜주세요, 저, 저에게, 저한테, 처리, 신청, 요청, 부탁, 이번호, 이런
        """),
    idioms=words("판매 중지, 판매중지, 운행 중지, 운행중지, 판매 중단, 판매중단"),
    risky=words("해지, 탈퇴, 취소, 끝, 아니요, 종료, 1"),
    risky_start=words("네, 예, 구독, 계속"),
    replying=words("회신, 답장, 보내, 전송, 입력, 답변"),
    leaving=words("""
        수신거부, 수신 거부, 거부, 중지, 해지, 구독취소, 구독 취소, 받지 않으시려면
        원하지 않으시면
        """),
    spaced=False,
)
