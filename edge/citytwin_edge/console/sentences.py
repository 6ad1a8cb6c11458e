"""What the console says of a gateway, one sentence each in three languages; see citytwin.reasons.

Sentences travel in English, as those of commands do, and are translated where they are shown. What
a device or a library says in its own words stays as it is.

>>> words = DEVICE_SILENT.said(device="meter-1", age="5 min", error="no answer")
>>> translated(words, "ru")
'meter-1 не отвечает 5 мин: no answer'
"""

from __future__ import annotations

import re
from typing import Final

from citytwin.batch import SECOND_NS
from citytwin.reasons import REASONS, Language, Reason
from citytwin_edge import dial

# ---- what runs
AGENT_RUNS: Final = Reason(
    "runs for {age}, process {pid}, {memory} of memory",
    "{age} бойы жұмыс істеп тұр, процесс {pid}, жады {memory}",
    "работает {age}, процесс {pid}, память {memory}",
)
NO_AGENT: Final = Reason(
    "no agent runs with {state}", "{state} қалтасымен агент іске қосылмаған",
    "агент с папкой {state} не запущен",
)  # fmt: skip
START_AGENT: Final = Reason(
    "start it: sudo systemctl enable --now citytwin-edge",
    "іске қосыңыз: sudo systemctl enable --now citytwin-edge",
    "запустите: sudo systemctl enable --now citytwin-edge",
)
VERSIONS: Final = Reason(
    "citytwin-edge {version}, Python {python}, {system}",
    "citytwin-edge {version}, Python {python}, {system}",
    "citytwin-edge {version}, Python {python}, {system}",
)
MEMORY: Final = Reason(
    "{free} of {size} are free", "{size} ішінен {free} бос", "свободно {free} из {size}"
)
MEMORY_LOW: Final = Reason(
    "end other programs, or give the machine more memory",
    "басқа бағдарламаларды жабыңыз немесе жадты көбейтіңіз",
    "закройте другие программы или добавьте памяти",
)

# ---- configuration
CONFIG: Final = Reason(
    "{file}: gateway {name}, devices: {devices}, points: {points}, check sum {sum}",
    "{file}: {name} шлюзі, {devices} құрылғы, {points} нүкте, бақылау қосындысы {sum}",
    "{file}: шлюз {name}, приборов {devices}, точек {points}, контрольная сумма {sum}",
)
CORRECT_CONFIG: Final = Reason(
    "correct the file; citytwin-edge check says when it is right",
    "файлды түзетіңіз; дұрыстығын citytwin-edge check айтады",
    "исправьте файл; citytwin-edge check скажет, верен ли он",
)
CONFIG_CHANGED: Final = Reason(
    "{file} was changed after the agent had read it",
    "{file} агент оқығаннан кейін өзгертілген",
    "{file} изменён после того, как агент его прочитал",
)
RELOAD: Final = Reason(
    "let the agent read it: citytwin-edge reload",
    "агентке қайта оқытыңыз: citytwin-edge reload",
    "дайте агенту прочитать его: citytwin-edge reload",
)

# ---- clock
CLOCK: Final = Reason(
    "{time} UTC, held by a time source",
    "{time} UTC, уақыт көзімен үйлестірілген",
    "{time} UTC, сверяется с источником времени",
)
CLOCK_HUB: Final = Reason(
    "{time} UTC, the hub's clock is {offset} s ahead",
    "{time} UTC, хабтың сағаты {offset} с алда",
    "{time} UTC, часы хаба впереди на {offset} с",
)
CLOCK_AGREES: Final = Reason(
    "{time} UTC, agrees with the hub's",
    "{time} UTC, хабтың сағатымен сәйкес",
    "{time} UTC, совпадают с часами хаба",
)
CLOCK_FREE: Final = Reason(
    "{time} UTC, but nothing holds it in step",
    "{time} UTC, бірақ ешқандай уақыт көзімен үйлестірілмеген",
    "{time} UTC, но с источником времени не сверяются",
)
CLOCK_UNSET: Final = Reason(
    "stands at {time} UTC: it was never set",
    "{time} UTC көрсетеді: ешқашан қойылмаған",
    "показывают {time} UTC: их не устанавливали",
)
SET_CLOCK: Final = Reason(
    "let a time source hold it: sudo timedatectl set-ntp true",
    "уақыт көзін қосыңыз: sudo timedatectl set-ntp true",
    "включите сверку времени: sudo timedatectl set-ntp true",
)
ZONE: Final = Reason(
    "{zone}, local time {time}", "{zone}, жергілікті уақыт {time}", "{zone}, местное время {time}"
)

# ---- disk
DISK: Final = Reason(
    "{free} of {size} are free at {folder}, which can be written",
    "{folder}: {size} ішінен {free} бос, жазуға болады",
    "{folder}: свободно {free} из {size}, запись возможна",
)
DISK_SHORT: Final = Reason(
    "only {free} of {size} are free at {folder}; the outbox may need {more}",
    "{folder}: {size} ішінен тек {free} бос; шығыс қоймасына {more} қажет болуы мүмкін",
    "{folder}: свободно только {free} из {size}; буферу может понадобиться {more}",
)
MAKE_ROOM: Final = Reason(
    "make room there, or write a smaller size_mb_max into [outbox]",
    "орын босатыңыз немесе [outbox] ішіндегі size_mb_max мәнін азайтыңыз",
    "освободите место или уменьшите size_mb_max в [outbox]",
)
DISK_UNWRITABLE: Final = Reason(
    "{folder} cannot be written: {why}", "{folder} қалтасына жазу мүмкін емес: {why}",
    "в {folder} нельзя записать: {why}",
)  # fmt: skip
MAKE_WRITABLE: Final = Reason(
    "make room or give the folder to the agent's user; exchange a card that has become read-only",
    "орын босатыңыз немесе қалтаны агент пайдаланушысына беріңіз; тек оқуға көшкен картаны "
    "ауыстырыңыз",
    "освободите место или отдайте папку пользователю агента; карту, ставшую доступной только для "
    "чтения, замените",
)
WEAR: Final = Reason(
    "{device}: {percent} % of its life are used up",
    "{device}: қызмет мерзімінің {percent} % өткен",
    "{device}: израсходовано {percent} % ресурса",
)
EXCHANGE_MEMORY: Final = Reason(
    "exchange the memory soon; take a copy of {state} before",
    "жадты жуықта ауыстырыңыз; алдымен {state} көшірмесін алыңыз",
    "скоро замените память; прежде скопируйте {state}",
)

# ---- ports
PORT_FREE: Final = Reason(
    "{port} is there, and {user} may open it",
    "{port} бар, {user} оны аша алады",
    "{port} на месте, {user} может его открыть",
)
PORT_OURS: Final = Reason(
    "{port} is open, by the agent", "{port} ашық, агент пайдалануда", "{port} открыт агентом"
)
PORT_MISSING: Final = Reason("{port} is not there", "{port} жоқ", "{port} отсутствует")
PLUG_IN: Final = Reason(
    "plug the adapter in; ls /dev/serial/by-id shows names that stay the same",
    "адаптерді қосыңыз; тұрақты атауларды ls /dev/serial/by-id көрсетеді",
    "подключите адаптер; постоянные имена показывает ls /dev/serial/by-id",
)
PORT_DENIED: Final = Reason(
    "{user} may not open {port}, which belongs to the group {group}",
    "{user} {port} портын аша алмайды, ол {group} тобына тиесілі",
    "{user} не может открыть {port}, он принадлежит группе {group}",
)
JOIN_GROUP: Final = Reason(
    "sudo usermod --append --groups {group} {user}, then start the agent again",
    "sudo usermod --append --groups {group} {user}, содан соң агентті қайта іске қосыңыз",
    "sudo usermod --append --groups {group} {user}, затем перезапустите агента",
)
PORT_BUSY: Final = Reason(
    "{port} is in use by {program} (process {pid})",
    "{port} портын {program} (процесс {pid}) пайдалануда",
    "{port} занят программой {program} (процесс {pid})",
)
END_PROGRAM: Final = Reason(
    "end {program}, or give the device another port",
    "{program} бағдарламасын тоқтатыңыз немесе құрылғыға басқа порт беріңіз",
    "завершите {program} или дайте прибору другой порт",
)

# ---- hub
NOT_ENROLLED: Final = Reason(
    "this gateway has not joined a hub",
    "бұл шлюз ешқандай хабқа қосылмаған",
    "этот шлюз не подключён ни к одному хабу",
)
ENROL: Final = Reason(
    "at the hub: citytwin-hub enrol-token --gateway {name}; here: citytwin-edge enrol HUB TOKEN",
    "хабта: citytwin-hub enrol-token --gateway {name}; мұнда: citytwin-edge enrol ХАБ ТОКЕН",
    "на хабе: citytwin-hub enrol-token --gateway {name}; здесь: citytwin-edge enrol ХАБ ТОКЕН",
)
CERTIFICATE: Final = Reason(
    "good for {days} days more", "тағы {days} күн жарамды", "действителен ещё {days} дн."
)
CERTIFICATE_OPEN: Final = Reason(
    "is there; when it ends was not noted down",
    "бар; мерзімі қашан бітетіні жазылмаған",
    "есть; срок его действия не записан",
)
CERTIFICATE_ENDED: Final = Reason(
    "ended {days} days ago", "{days} күн бұрын мерзімі бітті", "истёк {days} дн. назад"
)
RENEW: Final = Reason(
    "at the hub: citytwin-hub enrol-token --gateway {name} --replace; then enrol again",
    "хабта: citytwin-hub enrol-token --gateway {name} --replace; содан соң қайта қосыңыз",
    "на хабе: citytwin-hub enrol-token --gateway {name} --replace; затем подключите снова",
)
HUB: Final = Reason(
    "{where} answers, is the right one, and takes this gateway's certificate",
    "{where} жауап береді, дәл сол хаб және бұл шлюздің сертификатын қабылдайды",
    "{where} отвечает, это нужный хаб, и он принимает сертификат шлюза",
)
REACH_HUB: Final = Reason(
    "check cable, modem, address and firewall; the agent keeps everything meanwhile",
    "кабельді, модемді, мекенжайды және желіаралық қалқанды тексеріңіз; агент бәрін сақтап тұрады",
    "проверьте кабель, модем, адрес и межсетевой экран; агент пока всё хранит",
)
DELIVERS: Final = Reason(
    "connected; the hub acknowledged {age} ago",
    "байланыс бар; хаб {age} бұрын растады",
    "связь есть; хаб подтвердил приём {age} назад",
)
CONNECTED: Final = Reason(
    "connected; nothing had to be acknowledged yet",
    "байланыс бар; әзірге растайтын ештеңе болмады",
    "связь есть; подтверждать пока было нечего",
)
NOT_DELIVERED: Final = Reason("not connected: {why}", "байланыс жоқ: {why}", "связи нет: {why}")
TRYING: Final = Reason("is being called", "шақырылып жатыр", "идёт вызов")

# ---- outbox
OUTBOX_EMPTY: Final = Reason(
    "empty: the hub has everything", "бос: бәрі хабқа жетті", "пуст: хаб получил всё"
)
OUTBOX: Final = Reason(
    "{entries} entries, {size} of {limit}, the oldest from {age} ago",
    "{entries} жазба, {limit} ішінен {size}, ең ескісі {age} бұрынғы",
    "записей {entries}, {size} из {limit}, старейшая {age} назад",
)
OUTBOX_HELD: Final = Reason(
    "the disk refuses to be written; {size} wait in memory and are lost if the agent ends",
    "дискіге жазылмай тұр; {size} жадта күтіп тұр, агент тоқтаса жоғалады",
    "диск не принимает запись; {size} ждут в памяти и пропадут, если агент остановится",
)
OUTBOX_FILLS: Final = Reason(
    "bring the hub into reach; when it is full the oldest telemetry is thinned, alarms stay",
    "хабпен байланысты қалпына келтіріңіз; толса, ең ескі телеметрия сиретіледі, дабылдар қалады",
    "восстановите связь с хабом; при заполнении прореживается старейшая телеметрия, тревоги "
    "остаются",
)
OUTBOX_REFUSED: Final = Reason(
    "{count} entries were refused by the hub for good",
    "хаб {count} жазбаны біржола қабылдамады",
    "хаб окончательно отклонил записей: {count}",
)
SEE_REFUSED: Final = Reason(
    "citytwin-edge outbox --refused says why",
    "себебін citytwin-edge outbox --refused айтады",
    "причину скажет citytwin-edge outbox --refused",
)
KERNEL_FAILS: Final = Reason(
    "fails, what it gives is stale: {why}",
    "қате береді, есептейтіні ескірген: {why}",
    "отказывает, его значения устарели: {why}",
)
TELL_MAKER: Final = Reason(
    "tell its maker, or take its [[kernel]] out of the configuration",
    "жасаушысына хабарлаңыз немесе оның [[kernel]] кестесін конфигурациядан алып тастаңыз",
    "сообщите изготовителю или уберите его [[kernel]] из конфигурации",
)
SAMPLES_LOST: Final = Reason(
    "{count} samples were lost: neither disk nor memory had room",
    "{count} өлшем жоғалды: дискіде де, жадта да орын болмады",
    "потеряно измерений: {count}; не было места ни на диске, ни в памяти",
)
SEE_DISK: Final = Reason(
    "see the lines of the disk", "диск жолдарын қараңыз", "смотрите строки о диске"
)

# ---- devices
DEVICE_OK: Final = Reason(
    "{device} answers, points: {points}", "{device} жауап береді, {points} нүкте",
    "{device} отвечает, точек {points}",
)  # fmt: skip
DEVICE_SILENT: Final = Reason(
    "{device} fails for {age}: {error}", "{device} {age} жауап бермейді: {error}",
    "{device} не отвечает {age}: {error}",
)  # fmt: skip
CHECK_DEVICE: Final = Reason(
    "check power, wiring, address and speed; citytwin-edge frames --device {device} shows the "
    "bytes",
    "қуатын, сымдарын, мекенжайын және жылдамдығын тексеріңіз; байттарын citytwin-edge frames "
    "--device {device} көрсетеді",
    "проверьте питание, провода, адрес и скорость; байты покажет citytwin-edge frames "
    "--device {device}",
)
DEVICE_PART: Final = Reason(
    "{device} answers, but {bad} of {points} points are bad",
    "{device} жауап береді, бірақ {points} нүктенің {bad} жарамсыз",
    "{device} отвечает, но из {points} точек недостоверны {bad}",
)
SEE_POINTS: Final = Reason(
    "citytwin-edge probe --device {device} says which, and why",
    "қайсысы және неге екенін citytwin-edge probe --device {device} айтады",
    "какие и почему, скажет citytwin-edge probe --device {device}",
)
DEVICE_WAITS: Final = Reason(
    "{device} has not been heard of yet", "{device} әзірге үн қатқан жоқ", "{device} пока молчит"
)

# ---- the page
NO_PIN: Final = Reason(
    "there is no PIN now; type citytwin-edge page unlock on the gateway",
    "қазір PIN жоқ; шлюзде citytwin-edge page unlock теріңіз",
    "PIN сейчас нет; наберите на шлюзе citytwin-edge page unlock",
)
WRONG_PIN: Final = Reason(
    "that is not the PIN; {left} attempts are left",
    "PIN қате; {left} әрекет қалды",
    "PIN неверен; осталось попыток: {left}",
)

SENTENCES: Final = tuple(
    sorted(
        (*(one for one in globals().values() if isinstance(one, Reason)), *dial.REASONS, *REASONS),
        key=lambda reason: -reason.literal_chars,
    )
)
"""All that can be translated; one that says more stands before one it could be taken for."""

_MEASURE: Final = re.compile(r"(-?[0-9.]+) (s|min|h|d|B|KiB|MiB|GiB|TiB)")
_MEASURES: Final = {
    "s": ("с", "с"), "min": ("мин", "мин"), "h": ("сағ", "ч"), "d": ("тәул", "сут"),
    "B": ("Б", "Б"), "KiB": ("КиБ", "КиБ"), "MiB": ("МиБ", "МиБ"), "GiB": ("ГиБ", "ГиБ"),
    "TiB": ("ТиБ", "ТиБ"),
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?[0-9]+\.[0-9]+")
_AGES: Final = ((86_400, 48 * 3600, "d"), (3600, 5400, "h"), (60, 100, "min"))
_SIZES: Final = ("KiB", "MiB", "GiB", "TiB")


def translated(words: str, language: Language) -> str:
    """Return a sentence of the console in a language, its numbers as that language writes them."""
    if language == "en":
        return words
    found = _MEASURE.fullmatch(words)
    if found:
        number, measure = found.groups()
        return f"{number.replace('.', ',')} {_MEASURES[measure][language == 'ru']}"
    if _NUMBER.fullmatch(words):
        return words.replace(".", ",")
    for reason in SENTENCES:
        matched = reason.pattern.fullmatch(words)
        if matched:
            about = {name: translated(part, language) for name, part in matched.groupdict().items()}
            return (reason.kk if language == "kk" else reason.ru).format(**about)
    return words


def age(from_ns: int, now_ns: int) -> str:
    """Return how long ago something was: "12 s", "5 min", "3 h", "9 d"."""
    seconds = max((now_ns - from_ns) / SECOND_NS, 0.0)
    for unit_s, from_s, name in _AGES:
        if seconds >= from_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """Return a number of bytes as people read it: "512 B", "1.5 MiB"."""
    if count < 1024:
        return f"{count:.0f} B"
    for name in _SIZES:
        count /= 1024
        if count < 1024 or name == _SIZES[-1]:
            return f"{count:.1f} {name}" if count < 100 else f"{count:.0f} {name}"
    raise AssertionError("there is a last one")
