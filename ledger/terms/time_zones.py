"""Time zones of destinations: when a day has ended where an order goes (DOMAIN 4).

Countries are those of the zone table of the IANA time zone database. Where a country has several zones, the state
gives the zone (for a state with two, that of most of its people), or else the postal code, where islands have their
own. Where neither is known, the country's last zone counts, so that nothing is late that is not certainly late.
France without a postal code is the one in Europe: its overseas territories have their own country and postal codes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from ledger.terms.places import Destination, plain


def end_of_day(day: date, destination: Destination) -> datetime:
    """The instant at which a day is over at a destination, in UTC."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone(zone_of(destination)))
    return midnight.astimezone(UTC)


def is_time_zone(name: str) -> bool:
    """Whether the IANA time zone database has the name."""
    return name in available_timezones()


def zone_of(destination: Destination) -> str:
    """The name of the destination's time zone; for an unknown country the last in which a day ends."""
    country = destination.country
    by_state = _STATES.get(country, {}).get(plain(destination.region))
    return by_state or _by_postal_code(country, destination.postal_prefix) or _COUNTRIES.get(country, _LAST)


def zones_of(destination: Destination) -> tuple[str, ...]:
    """All zones that a destination may be in; none of an unknown country."""
    country = destination.country
    known = _STATES.get(country, {}).get(plain(destination.region)) or _by_postal_code(
        country, destination.postal_prefix
    )
    if known or country not in _OF_SEVERAL_TIMES:
        return tuple(filter(None, (known or _COUNTRIES.get(country, ""),)))
    return tuple(sorted({_COUNTRIES[country], *_STATES.get(country, {}).values()}))


def local_zone_of(country: str, region: str = "") -> str:
    """The name of a place's time zone, where its country has one alone or its state gives it; else empty."""
    by_state = _STATES.get(country, {}).get(plain(region))
    return by_state or ("" if country in _OF_SEVERAL_TIMES else _COUNTRIES.get(country, ""))


_SEVERAL = "AQ AU BR CA CD CL EC ES FM GL ID KI KZ MN MX NZ PF PG PT RU UM US"
_OF_SEVERAL_TIMES = frozenset(_SEVERAL.split())
"""Countries whose places, in these years, differ in their time; overseas territories have codes of their own."""


def _by_postal_code(country: str, prefix: str) -> str:
    """The zone that the first digits of a postal code give; empty if they give none."""
    zones = _POSTAL_CODES.get(country)
    if zones is None or len(prefix) < _LEAST_DIGITS or not prefix.isdecimal():
        return ""
    return zones.get(prefix[:_MOST_DIGITS]) or zones.get(prefix[:_LEAST_DIGITS]) or zones[_OTHERS]


@cache
def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


_LAST = "Etc/GMT+12"


def _countries(text: str) -> dict[str, str]:
    """Zones by country, of entries such as ``Europe/London=GB,GG``."""
    entries = (entry.split("=") for entry in text.split())
    return {country: zone for zone, countries in entries for country in countries.split(",")}


_COUNTRIES = _countries(
    """
    Africa/Abidjan=BF,BV,CI,GH,GM,GN,IS,ML,MR,SH,SL,SN,TG Africa/Algiers=DZ Africa/Bissau=GW Africa/Cairo=EG
    Africa/Casablanca=MA Africa/El_Aaiun=EH Africa/Johannesburg=LS,SZ,ZA Africa/Juba=SS Africa/Khartoum=SD
    Africa/Lagos=AO,BJ,CD,CF,CG,CM,GA,GQ,NE,NG Africa/Maputo=BI,BW,MW,MZ,RW,ZM,ZW Africa/Monrovia=LR
    Africa/Nairobi=DJ,ER,ET,KE,KM,MG,SO,TZ,UG,YT Africa/Ndjamena=TD Africa/Sao_Tome=ST Africa/Tripoli=LY
    Africa/Tunis=TN Africa/Windhoek=NA America/Argentina/Buenos_Aires=AR America/Asuncion=PY America/Barbados=BB
    America/Belize=BZ America/Bogota=CO America/Caracas=VE America/Cayenne=GF America/Costa_Rica=CR
    America/Eirunepe=BR America/El_Salvador=SV America/Grand_Turk=TC America/Guatemala=GT America/Guyana=GY
    America/Havana=CU America/Jamaica=JM America/La_Paz=BO America/Lima=PE America/Managua=NI
    America/Martinique=MQ America/Miquelon=PM America/Montevideo=UY America/Panama=KY,PA America/Paramaribo=SR
    America/Port-au-Prince=HT America/Puerto_Rico=AG,AI,AW,BL,BQ,CW,DM,GD,GP,KN,LC,MF,MS,PR,SX,TT,VC,VG,VI
    America/Santo_Domingo=DO America/Tegucigalpa=HN America/Thule=GL America/Tijuana=MX America/Toronto=BS
    America/Vancouver=CA Antarctica/Palmer=AQ Asia/Almaty=KZ Asia/Amman=JO Asia/Ashgabat=TM Asia/Baghdad=IQ
    Asia/Baku=AZ Asia/Bangkok=CX,KH,LA,TH,VN Asia/Beirut=LB Asia/Bishkek=KG Asia/Colombo=LK Asia/Damascus=SY
    Asia/Dhaka=BD Asia/Dili=TL Asia/Dubai=AE,OM,RE,SC,TF Asia/Dushanbe=TJ Asia/Gaza=PS Asia/Hong_Kong=HK
    Asia/Hovd=MN Asia/Jakarta=ID Asia/Jerusalem=IL Asia/Kabul=AF Asia/Karachi=PK Asia/Kathmandu=NP
    Asia/Kolkata=IN Asia/Kuching=BN,MY Asia/Macau=MO Asia/Manila=PH Asia/Nicosia=CY Asia/Pyongyang=KP
    Asia/Qatar=BH,QA Asia/Riyadh=KW,SA,YE Asia/Samarkand=UZ Asia/Seoul=KR Asia/Shanghai=CN Asia/Singapore=SG
    Asia/Taipei=TW Asia/Tbilisi=GE Asia/Tehran=IR Asia/Thimphu=BT Asia/Tokyo=JP Asia/Yangon=CC,MM
    Asia/Yerevan=AM Atlantic/Azores=PT Atlantic/Bermuda=BM Atlantic/Canary=ES Atlantic/Cape_Verde=CV
    Atlantic/Faroe=FO Atlantic/South_Georgia=GS Atlantic/Stanley=FK Australia/Perth=AU Europe/Andorra=AD
    Europe/Athens=GR Europe/Belgrade=BA,HR,ME,MK,RS,SI,XK Europe/Berlin=DE,DK,NO,SE,SJ Europe/Brussels=BE,LU,NL
    Europe/Bucharest=RO Europe/Budapest=HU Europe/Chisinau=MD Europe/Dublin=IE Europe/Gibraltar=GI
    Europe/Helsinki=AX,FI Europe/Istanbul=TR Europe/Kaliningrad=RU Europe/Kyiv=UA Europe/London=GB,GG,IM,JE
    Europe/Malta=MT Europe/Minsk=BY Europe/Paris=FR,MC Europe/Prague=CZ,SK Europe/Riga=LV Europe/Rome=IT,SM,VA
    Europe/Sofia=BG Europe/Tallinn=EE Europe/Tirane=AL Europe/Vienna=AT Europe/Vilnius=LT Europe/Warsaw=PL
    Europe/Zurich=CH,LI Indian/Chagos=IO Indian/Maldives=HM,MV Indian/Mauritius=MU Pacific/Apia=WS
    Pacific/Auckland=NZ Pacific/Easter=CL Pacific/Efate=VU Pacific/Fakaofo=TK Pacific/Fiji=FJ
    Pacific/Galapagos=EC Pacific/Guadalcanal=SB Pacific/Guam=GU,MP Pacific/Honolulu=US Pacific/Nauru=NR
    Pacific/Niue=NU Pacific/Norfolk=NF Pacific/Noumea=NC Pacific/Pago_Pago=AS,UM Pacific/Palau=PW
    Pacific/Pitcairn=PN Pacific/Port_Moresby=FM,PG Pacific/Rarotonga=CK Pacific/Tahiti=PF
    Pacific/Tarawa=KI,MH,TV,WF Pacific/Tongatapu=TO
    """
)
"""The zone of each country; of several the one in which a day ends last. China has one by law."""


_LEAST_DIGITS, _MOST_DIGITS = 2, 3
_OTHERS = ""
_POSTAL_CODES = {
    "FR": {
        **dict.fromkeys(("971", "977", "978"), "America/Puerto_Rico"),
        "972": "America/Martinique",
        "973": "America/Cayenne",
        "974": "Asia/Dubai",
        "975": "America/Miquelon",
        "976": "Africa/Nairobi",
        "980": "Europe/Paris",
        "984": "Asia/Dubai",
        "986": "Pacific/Tarawa",
        "987": "Pacific/Tahiti",
        "988": "Pacific/Noumea",
        # For orders whose third digit was not kept: where the day ends last.
        "97": "America/Martinique",
        "98": "Pacific/Tahiti",
        _OTHERS: "Europe/Paris",
    },
    "DK": {"39": "America/Thule", _OTHERS: "Europe/Berlin"},
    "ES": {"35": "Atlantic/Canary", "38": "Atlantic/Canary", _OTHERS: "Europe/Madrid"},
    "PT": {**dict.fromkeys(("95", "96", "97", "98", "99"), "Atlantic/Azores"), _OTHERS: "Europe/Lisbon"},
}
"""Zones by the first two or three digits of the postal code, and that of all others of the country.

Saint-Barthelemy (97133) and Saint-Martin (97150) share the digits and the time of Guadeloupe, Madeira (90 to 94) has
Lisbon's time, Ceuta and Melilla Madrid's.
"""


def _states(country: str, zones: dict[str, str]) -> dict[str, str]:
    """Zones by code, by code with its country, and by name: ``CA``, ``US-CA``, ``California``."""
    found = {}
    for zone, states in zones.items():
        for state in states.split(", "):
            code, _, names = state.partition(" ")
            for name in (code, country + code, *names.split("/")):
                found[plain(name)] = zone
    return found


_STATES = {
    country: _states(country, zones)
    for country, zones in {
        "FR": {
            "America/Puerto_Rico": "971 Guadeloupe, GP Guadeloupe, BL Saint-Barthelemy, MF Saint-Martin",
            "America/Martinique": "972 Martinique, MQ Martinique",
            "America/Cayenne": "973 Guyane/Guyane francaise/French Guiana, GF Guyane",
            "Asia/Dubai": "974 La Reunion/Reunion, RE Reunion, TF Terres australes francaises",
            "Africa/Nairobi": "976 Mayotte, YT Mayotte",
            "America/Miquelon": "PM Saint-Pierre-et-Miquelon",
            "Pacific/Tarawa": "WF Wallis-et-Futuna/Wallis and Futuna",
            "Pacific/Tahiti": "PF Polynesie francaise/French Polynesia",
            "Pacific/Noumea": "NC Nouvelle-Caledonie/New Caledonia",
        },
        "ES": {"Atlantic/Canary": "CN Canarias/Canary Islands, GC Las Palmas, TF Santa Cruz de Tenerife/Tenerife"},
        "PT": {
            "Atlantic/Azores": "20 Acores/Azores/Regiao Autonoma dos Acores",
            "Europe/Lisbon": "30 Madeira/Regiao Autonoma da Madeira",
        },
        "US": {
            "America/New_York": "CT Connecticut, DE Delaware, DC District of Columbia/Washington DC, FL Florida, "
            "GA Georgia, IN Indiana, KY Kentucky, ME Maine, MD Maryland, MA Massachusetts, MI Michigan, "
            "NH New Hampshire, NJ New Jersey, NY New York, NC North Carolina, OH Ohio, PA Pennsylvania, "
            "RI Rhode Island, SC South Carolina, VT Vermont, VA Virginia, WV West Virginia",
            "America/Chicago": "AL Alabama, AR Arkansas, IL Illinois, IA Iowa, KS Kansas, LA Louisiana, MN Minnesota, "
            "MS Mississippi, MO Missouri, NE Nebraska, ND North Dakota, OK Oklahoma, SD South Dakota, TN Tennessee, "
            "TX Texas, WI Wisconsin",
            "America/Denver": "CO Colorado, ID Idaho, MT Montana, NM New Mexico, UT Utah, WY Wyoming",
            "America/Phoenix": "AZ Arizona",
            "America/Los_Angeles": "CA California, NV Nevada, OR Oregon, WA Washington",
            "America/Anchorage": "AK Alaska",
            "Pacific/Honolulu": "HI Hawaii",
            "America/Puerto_Rico": "PR Puerto Rico, VI Virgin Islands",
            "Pacific/Guam": "GU Guam, MP Northern Mariana Islands",
            "Pacific/Pago_Pago": "AS American Samoa",
        },
        "CA": {
            "America/St_Johns": "NL Newfoundland and Labrador/Newfoundland",
            "America/Halifax": "NS Nova Scotia, NB New Brunswick/Nouveau-Brunswick, PE Prince Edward Island",
            "America/Toronto": "ON Ontario, QC Quebec",
            "America/Iqaluit": "NU Nunavut",
            "America/Winnipeg": "MB Manitoba",
            "America/Regina": "SK Saskatchewan",
            "America/Edmonton": "AB Alberta, NT Northwest Territories",
            "America/Vancouver": "BC British Columbia",
            "America/Whitehorse": "YT Yukon/Yukon Territory",
        },
        "AU": {
            "Australia/Sydney": "NSW New South Wales, ACT Australian Capital Territory",
            "Australia/Melbourne": "VIC Victoria",
            "Australia/Brisbane": "QLD Queensland",
            "Australia/Hobart": "TAS Tasmania",
            "Australia/Adelaide": "SA South Australia",
            "Australia/Darwin": "NT Northern Territory",
            "Australia/Perth": "WA Western Australia",
        },
        "BR": {
            "America/Sao_Paulo": "DF Distrito Federal, ES Espirito Santo, GO Goias, MG Minas Gerais, PR Parana, "
            "RJ Rio de Janeiro, RS Rio Grande do Sul, SC Santa Catarina, SP Sao Paulo",
            "America/Bahia": "BA Bahia",
            "America/Fortaleza": "CE Ceara, MA Maranhao, PB Paraiba, PI Piaui, RN Rio Grande do Norte",
            "America/Maceio": "AL Alagoas, SE Sergipe",
            "America/Recife": "PE Pernambuco",
            "America/Araguaina": "TO Tocantins",
            "America/Belem": "AP Amapa, PA Para",
            "America/Campo_Grande": "MS Mato Grosso do Sul",
            "America/Cuiaba": "MT Mato Grosso",
            "America/Manaus": "AM Amazonas",
            "America/Boa_Vista": "RR Roraima",
            "America/Porto_Velho": "RO Rondonia",
            "America/Rio_Branco": "AC Acre",
        },
        "MX": {
            "America/Mexico_City": "AGU Aguascalientes, CAM Campeche, CHP Chiapas, COA Coahuila, COL Colima, "
            "CMX Ciudad de Mexico/Mexico City/CDMX, DUR Durango, GUA Guanajuato, GRO Guerrero, "
            "HID Hidalgo, JAL Jalisco, MEX Mexico/Estado de Mexico, MIC Michoacan, MOR Morelos, "
            "NLE Nuevo Leon, OAX Oaxaca, PUE Puebla, "
            "QUE Queretaro, SLP San Luis Potosi, TAB Tabasco, TAM Tamaulipas, TLA Tlaxcala, VER Veracruz, "
            "YUC Yucatan, ZAC Zacatecas",
            "America/Cancun": "ROO Quintana Roo",
            "America/Chihuahua": "CHH Chihuahua",
            "America/Hermosillo": "SON Sonora",
            "America/Mazatlan": "BCS Baja California Sur, NAY Nayarit, SIN Sinaloa",
            "America/Tijuana": "BCN Baja California",
        },
        "ID": {
            "Asia/Jakarta": "AC Aceh, SU Sumatera Utara/North Sumatra, SB Sumatera Barat/West Sumatra, RI Riau, "
            "JA Jambi, SS Sumatera Selatan/South Sumatra, BE Bengkulu, LA Lampung, "
            "BB Kepulauan Bangka Belitung/Bangka Belitung, "
            "KR Kepulauan Riau/Riau Islands, JK Jakarta/DKI Jakarta, JB Jawa Barat/West Java, "
            "JT Jawa Tengah/Central Java, YO Yogyakarta/DI Yogyakarta, JI Jawa Timur/East Java, BT Banten, "
            "KB Kalimantan Barat/West Kalimantan, KT Kalimantan Tengah/Central Kalimantan",
            "Asia/Makassar": "BA Bali, NB Nusa Tenggara Barat/West Nusa Tenggara, "
            "NT Nusa Tenggara Timur/East Nusa Tenggara, KS Kalimantan Selatan/South Kalimantan, "
            "KI Kalimantan Timur/East Kalimantan, KU Kalimantan Utara/North Kalimantan, "
            "SA Sulawesi Utara/North Sulawesi, ST Sulawesi Tengah/Central Sulawesi, "
            "SN Sulawesi Selatan/South Sulawesi, SG Sulawesi Tenggara/Southeast Sulawesi, GO Gorontalo, "
            "SR Sulawesi Barat/West Sulawesi",
            "Asia/Jayapura": "MA Maluku, MU Maluku Utara/North Maluku, PA Papua, PB Papua Barat/West Papua, "
            "PD Papua Barat Daya/Southwest Papua, PE Papua Pegunungan/Highland Papua, "
            "PS Papua Selatan/South Papua, PT Papua Tengah/Central Papua",
        },
        "RU": {
            "Europe/Kaliningrad": "KGD Kaliningrad",
            "Europe/Moscow": "AD Adygea, ARK Arkhangelsk, BEL Belgorod, BRY Bryansk, CE Chechnya, CU Chuvashia, "
            "DA Dagestan, IN Ingushetia, IVA Ivanovo, KB Kabardino-Balkaria, KC Karachay-Cherkessia, KL Kalmykia, "
            "KLU Kaluga, KO Komi, KOS Kostroma, KR Karelia, KDA Krasnodar, KIR Kirov, KRS Kursk, "
            "LEN Leningrad, LIP Lipetsk, ME Mari El, MO Mordovia, MOS Moscow Oblast/Moskva, MOW Moscow, MUR Murmansk, "
            "NEN Nenets, NGR Novgorod, NIZ Nizhny Novgorod, ORL Oryol, PNZ Penza, PSK Pskov, ROS Rostov, RYA Ryazan, "
            "SE North Ossetia, SMO Smolensk, SPE Saint Petersburg/St Petersburg, STA Stavropol, TA Tatarstan, "
            "TAM Tambov, TUL Tula, TVE Tver, VGG Volgograd, VLA Vladimir, VLG Vologda, VOR Voronezh, YAR Yaroslavl",
            "Europe/Samara": "AST Astrakhan, SAM Samara, SAR Saratov, UD Udmurtia, ULY Ulyanovsk",
            "Asia/Yekaterinburg": "BA Bashkortostan, CHE Chelyabinsk, KGN Kurgan, KHM Khanty-Mansi, ORE Orenburg, "
            "PER Perm, SVE Sverdlovsk, TYU Tyumen, YAN Yamalo-Nenets",
            "Asia/Omsk": "OMS Omsk",
            "Asia/Novosibirsk": "AL Altai Republic, ALT Altai Krai/Altai, NVS Novosibirsk, TOM Tomsk",
            "Asia/Krasnoyarsk": "KEM Kemerovo, KK Khakassia, KYA Krasnoyarsk, TY Tuva",
            "Asia/Irkutsk": "BU Buryatia, IRK Irkutsk",
            "Asia/Yakutsk": "AMU Amur, SA Sakha/Yakutia, ZAB Zabaykalsky",
            "Asia/Vladivostok": "KHA Khabarovsk, PRI Primorsky, YEV Jewish Autonomous Oblast",
            "Asia/Magadan": "MAG Magadan, SAK Sakhalin",
            "Asia/Kamchatka": "CHU Chukotka, KAM Kamchatka",
        },
    }.items()
}
"""The zones of states where a country has several, by ISO 3166-2 code and by name."""
