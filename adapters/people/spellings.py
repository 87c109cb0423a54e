"""Spellings of e-mail addresses and telephone numbers: what is the same for whoever finds or erases a person.

Parsing a number by all rules of its country takes 150 microseconds, which is too long for placing an order. To compare
numbers as E.164 has them, their calling code and what is dialled before them within a country are enough.
"""

from __future__ import annotations

from unicodedata import normalize

_TRUNKS = {
    "0": """
        20:EG 27:ZA 31:NL 32:BE 33:FR 40:RO 41:CH 43:AT 44:GB,GG,IM,JE 46:SE 49:DE 51:PE 53:CU 54:AR 55:BR 57:CO 58:VE
        60:MY 61:AU,CC,CX 62:ID 63:PH 64:NZ 66:TH 81:JP 82:KR 84:VN 86:CN 90:TR 91:IN 92:PK 93:AF 94:LK 95:MM 98:IR
        211:SS 212:EH,MA 213:DZ 218:LY 231:LR 232:SL 233:GH 234:NG 243:CD 249:SD 250:RW 251:ET 252:SO 254:KE 255:TZ
        256:UG 260:ZM 261:MG 262:RE,YT 263:ZW 264:NA 265:MW 291:ER 353:IE 355:AL 358:AX,FI 359:BG 370:LT 373:MD 374:AM
        377:MC 380:UA 381:RS 382:ME 383:XK 385:HR 386:SI 387:BA 389:MK 421:SK 423:LI 508:PM 590:BL,GP,MF 591:BO 593:EC
        594:GF 595:PY 596:MQ 598:UY 686:KI 850:KP 855:KH 856:LA 880:BD 886:TW 961:LB 962:JO 963:SY 964:IQ 966:SA 967:YE
        970:PS 971:AE 972:IL 976:MN 977:NP 994:AZ 995:GE 996:KG
    """,
    "1": "1:AG,AI,AS,BB,BM,BS,CA,DM,DO,GD,GU,JM,KN,KY,LC,MP,MS,PR,SX,TC,TT,US,VC,VG,VI 692:MH",
    "8": "7:KZ,RU 375:BY 993:TM",
    "06": "36:HU",
    "": """
        30:GR 34:ES 39:IT,VA 45:DK 47:NO,SJ 48:PL 52:MX 56:CL 65:SG 216:TN 220:GM 221:SN 222:MR 223:ML 224:GN 225:CI
        226:BF 227:NE 228:TG 229:BJ 230:MU 235:TD 236:CF 237:CM 238:CV 239:ST 240:GQ 241:GA 242:CG 244:AO 245:GW 246:IO
        247:AC 248:SC 253:DJ 257:BI 258:MZ 266:LS 267:BW 268:SZ 269:KM 290:SH,TA 297:AW 298:FO 299:GL 350:GI 351:PT
        352:LU 354:IS 356:MT 357:CY 371:LV 372:EE 376:AD 378:SM 420:CZ 500:FK 501:BZ 502:GT 503:SV 504:HN 505:NI 506:CR
        507:PA 509:HT 592:GY 597:SR 599:BQ,CW 670:TL 672:NF 673:BN 674:NR 675:PG 676:TO 677:SB 678:VU 679:FJ 680:PW
        681:WF 682:CK 683:NU 685:WS 687:NC 688:TV 689:PF 690:TK 691:FM 852:HK 853:MO 960:MV 965:KW 968:OM 973:BH 974:QA
        975:BT 992:TJ 998:UZ
    """,
}
"""Calling codes and their countries, by what is dialled before a number within them; as libphonenumber 9.0 has them."""

_TRUNK_OF = {each.partition(":")[0]: trunk for trunk, table in _TRUNKS.items() for each in table.split()}
_CODE_OF = {
    country: code
    for table in _TRUNKS.values()
    for code, _, countries in (each.partition(":") for each in table.split())
    for country in countries.split(",")
}
_WHOLE_DIGITS = 9
"""A number with so many digits after the calling code that it begins with is taken to have that."""
_SHORTEST, _LONGEST = 8, 15
"""Digits of a number that can be called from anywhere."""
_NOT_ASCII_DIGITS = dict.fromkeys(set(range(128)) - set(map(ord, "0123456789")))


# --- e-mail addresses -----------------------------------------------------------------------------


def mailbox(email: str) -> str:
    """The address alone: without the name before it, whatever the case, full-width letters as others."""
    text = email if email.isascii() else normalize("NFKC", email)
    if "<" in text:
        text = text[text.rindex("<") + 1 :].partition(">")[0]
    return "".join(text.split()).casefold()


def untagged(address: str) -> str:
    """The address without the tag after a plus; empty if it has none."""
    name, at, domain = address.rpartition("@")
    name, plus, _ = name.partition("+")
    return f"{name}@{domain}" if at and plus and name else ""


def of_any_tag(address: str) -> str:
    """What all addresses are known by that differ from this one only in their tag; no address looks like it."""
    return f"<{untagged(address) or address}"


# --- telephone numbers ----------------------------------------------------------------------------


def international(phone: str, country: str = "") -> str:
    """Its digits from the calling code on; of one without a code, within a country that is not known, as it is."""
    digits, is_whole = _digits(phone)
    code = "" if is_whole else _CODE_OF.get(country, "")
    return _within(code, digits) if code and digits else digits


def e164(phone: str, country: str = "") -> str:
    """As gateways want it, ``+491701234567``; empty where that cannot be known, or is too short or too long."""
    _, is_whole = _digits(phone)
    whole = international(phone, country) if is_whole or country in _CODE_OF else ""
    return f"+{whole}" if _SHORTEST <= len(whole) <= _LONGEST and _code_of(whole) else ""


def phone_spellings(phone: str, country: str = "") -> list[str]:
    """All that the number may be kept as: by its code, and as it is dialled within its country.

    One without a code, within a country that is not said, may be of any.
    """
    digits, is_whole = _digits(phone)
    if not digits:
        return []
    if is_whole or country in _CODE_OF:
        whole = international(phone, country)
        return list(dict.fromkeys([whole, *([] if is_whole else [digits]), *_dialled(whole)]))
    return list(dict.fromkeys([digits, *(_within(code, digits) for code in _TRUNK_OF)]))


def _digits(phone: str) -> tuple[str, bool]:
    """Its digits, and whether they begin with a calling code."""
    text = phone if phone.isascii() else normalize("NFKC", phone).encode("ascii", "ignore").decode()
    digits = text.translate(_NOT_ASCII_DIGITS)
    if text.lstrip(" (").startswith("+"):
        return _without_trunk(digits), True
    return (_without_trunk(digits[2:]), True) if digits.startswith("00") else (digits, False)


def _without_trunk(whole: str) -> str:
    """Without what only counts within the country and stands behind the code all the same: ``+49 (0)30``.

    No number begins with a zero there; those of Russia may begin with its 8.
    """
    code = _code_of(whole)
    trunk = _TRUNK_OF.get(code, "")
    found = trunk.startswith("0") and whole.startswith(trunk, len(code))
    return code + whole[len(code) + len(trunk) :] if found else whole


def formerly(whole: str) -> str:
    """As versions kept a number that left that zero where it was; empty where there is none."""
    code = _code_of(whole)
    trunk = _TRUNK_OF.get(code, "")
    return code + trunk + whole[len(code) :] if trunk.startswith("0") else ""


def _within(code: str, digits: str) -> str:
    """A number without a code, by its digits, within a country of this code."""
    trunk = _TRUNK_OF[code]
    if trunk and digits.startswith(trunk):
        return code + digits[len(trunk) :]
    is_whole = digits.startswith(code) and len(digits) >= len(code) + _WHOLE_DIGITS
    return _without_trunk(digits) if is_whole else code + digits


def _dialled(whole: str) -> list[str]:
    """As it is dialled within its country."""
    code = _code_of(whole)
    return [_TRUNK_OF[code] + whole[len(code) :]] if code else []


def _code_of(whole: str) -> str:
    """The calling code that it begins with; empty if none is known."""
    return next((whole[:size] for size in (1, 2, 3) if whole[:size] in _TRUNK_OF), "")
