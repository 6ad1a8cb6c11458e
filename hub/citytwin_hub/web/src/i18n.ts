// Every word of the page in Kazakh, Russian and English.
import type { Label } from "./types";

export type Language = "kk" | "ru" | "en";
export const LANGUAGES: readonly Language[] = ["kk", "ru", "en"];

export const TEXTS = {
  "app.title": ["Қаланың цифрлық егізі", "Цифровой двойник города", "City digital twin"],
  "live.on": ["тікелей эфирде", "в реальном времени", "live"],
  "live.off": ["байланыс үзілді, қайта қосылуда; деректердің жасы:", "связи нет, переподключение; данным:", "connection lost, reconnecting; values are old by"],
  "signin.title": ["Жүйеге кіру", "Вход в систему", "Sign in"],
  "signin.token": ["Кіру кілті", "Ключ доступа", "Access token"],
  "signin.help": ["Кілтті әкімші береді: citytwin-hub user add", "Ключ выдаёт администратор: citytwin-hub user add", "The administrator issues it: citytwin-hub user add"],
  "signin.do": ["Кіру", "Войти", "Sign in"],
  "signin.wrong": ["Кілт жарамсыз", "Ключ не подходит", "The token is not valid"],
  "signout": ["Шығу", "Выйти", "Sign out"],
  "search": ["Құрылғы не нүкте іздеу", "Найти прибор или точку", "Find a device or point"],
  "search.none": ["Ештеңе табылмады", "Ничего не найдено", "Nothing found"],
  "alarms": ["Апаттық белгілер", "Тревоги", "Alarms"],
  "alarms.none": ["Белсенді апаттық белгі жоқ", "Активных тревог нет", "No active alarms"],
  "alarms.ack": ["Растау", "Квитировать", "Acknowledge"],
  "alarm.raised": ["белсенді", "активна", "active"],
  "alarm.acknowledged": ["расталды", "квитирована", "acknowledged"],
  "alarm.returned": ["қалыпқа келді", "вернулась в норму", "returned to normal"],
  "gateways": ["Шлюздер", "Шлюзы", "Gateways"],
  "gateway": ["Шлюз", "Шлюз", "Gateway"],
  "gateway.connected": ["байланыста", "на связи", "connected"],
  "gateway.silent": ["байланыс жоқ", "нет связи", "silent"],
  "gateway.seen": ["соңғы байланыс", "последняя связь", "last seen"],
  "gateway.backlog": ["жіберілмеген", "не отправлено", "backlog"],
  "gateway.clock": ["сағат ауытқуы", "уход часов", "clock offset"],
  "gateway.samples": ["өлшем", "отсчётов", "samples"],
  "gateway.points": ["нүкте", "точек", "points"],
  "gateway.software": ["бағдарлама", "программа", "software"],
  "legend": ["Шартты белгілер", "Условные знаки", "Legend"],
  "state.good": ["қалыпты", "норма", "normal"],
  "state.low": ["нормадан төмен", "ниже нормы", "below normal"],
  "state.high": ["нормадан жоғары", "выше нормы", "above normal"],
  "state.limit": ["нормадан тыс", "вне нормы", "outside normal"],
  "state.stale": ["ескірген", "устарело", "out of date"],
  "state.uncertain": ["сенімсіз", "недостоверно", "uncertain"],
  "state.unusual": ["әдеттегіден өзгеше", "не как обычно", "out of the ordinary"],
  "state.bad": ["дерек жоқ (ақау)", "нет данных (отказ)", "no good data"],
  "state.none": ["әлі дерек келмеді", "данных ещё не было", "no data yet"],
  "quality.good": ["сенімді", "достоверно", "good"],
  "quality.clock": ["шлюз сағаты синхрондалмаған", "часы шлюза не синхронизированы", "gateway clock not synchronised"],
  "quality.stale": ["ескірген", "устарело", "stale"],
  "quality.range": ["өлшеу ауқымынан тыс", "вне диапазона прибора", "outside the instrument's range"],
  "quality.rate": ["тым жылдам өзгерді", "слишком быстрое изменение", "changes too fast"],
  "quality.flatline": ["мәні тұрып қалған", "значение застыло", "stuck"],
  "quality.silent": ["құрылғы жауап бермейді", "прибор не отвечает", "device silent"],
  "quality.malformed": ["жауап бұрмаланған", "ответ искажён", "malformed answer"],
  "quality.out_of_range": ["мүмкін емес мән", "невозможное значение", "impossible value"],
  "quality.not_a_number": ["құрылғыда мән жоқ", "прибор не даёт значения", "device has no value"],
  "quality.refused": ["құрылғы бас тартты", "прибор отказал", "device refused"],
  "quality.overflow": ["өлшемдердің бір бөлігі жоғалды", "часть отсчётов потеряна", "some samples were lost"],
  "quality.unknown": ["сапасы белгісіз", "качество неизвестно", "unknown quality"],
  "source.measured": ["өлшенген", "измерено", "measured"],
  "source.derived": ["есептелген", "вычислено", "derived"],
  "source.health": ["шлюз күйі", "состояние шлюза", "gateway health"],
  "source.forecast": ["болжам", "прогноз", "forecast"],
  "source.simulated": ["модельденген", "смоделировано", "simulated"],
  "card.close": ["Жабу", "Закрыть", "Close"],
  "card.age": ["жасы", "возраст", "age"],
  "card.trend": ["Соңғы сағат", "Последний час", "Last hour"],
  "card.trend.none": ["Бұл сағатта өлшем жоқ", "За этот час отсчётов нет", "No samples in this hour"],
  "card.normal": ["норма", "норма", "normal"],
  "card.reported": ["Нақты мәні", "Фактически", "Reported"],
  "card.desired": ["Сұралған мән", "Задано", "Desired"],
  "card.feeds": ["қала нысаны", "объект города", "city object"],
  "command.set": ["Мән беру", "Задать", "Set"],
  "command.on": ["Қосу", "Включить", "Switch on"],
  "command.off": ["Өшіру", "Выключить", "Switch off"],
  "command.now": ["қазір", "сейчас", "now"],
  "command.open": ["Ашу", "Открыть", "Open"],
  "command.close": ["Жабу", "Закрыть", "Close"],
  "command.range": ["рұқсат етілген ауқым", "допустимо", "allowed"],
  "command.confirm": ["Команданы жіберуді растайсыз ба?", "Отправить команду?", "Send this command?"],
  "command.yes": ["Жіберу", "Отправить", "Send"],
  "command.no": ["Болдырмау", "Отмена", "Cancel"],
  "command.bad": ["Ауқымдағы санды енгізіңіз", "Введите число из допустимого диапазона", "Enter a number within the allowed range"],
  "command.submitted": ["қабылданды", "принята", "submitted"],
  "command.sent": ["шлюзге жіберілді", "отправлена на шлюз", "sent to the gateway"],
  "command.executed": ["орындалды, тексеру күтілуде", "выполнена, ждём подтверждения", "executed, awaiting read-back"],
  "command.settled": ["орындалып, тексерілді", "выполнена и подтверждена", "done and read back"],
  "command.contradicted": ["оқылған мән басқа", "прочитанное значение другое", "read-back differs"],
  "command.unverified": ["орындалды, бірақ расталмады", "выполнена, но не подтверждена", "executed but not verified"],
  "command.refused": ["қабылданбады", "отклонена", "refused"],
  "command.expired": ["мерзімі өтті", "срок истёк", "expired"],
  "command.failed": ["сәтсіз; құрылғы күйі белгісіз", "сбой; состояние прибора неизвестно", "failed; device state unknown"],
  "value.open": ["ашық", "открыто", "open"],
  "value.closed": ["жабық", "закрыто", "closed"],
  "value.on": ["қосулы", "включено", "on"],
  "value.off": ["өшірулі", "выключено", "off"],
  "theme": ["Жарық не қараңғы", "Светлая или тёмная", "Light or dark"],
  "language": ["Тіл", "Язык", "Language"],
  "unit.ms": ["мс", "мс", "ms"],
  "unit.s": ["с", "с", "s"],
  "unit.min": ["мин", "мин", "min"],
  "unit.h": ["сағ", "ч", "h"],
  "unit.d": ["тәул", "сут", "d"],
  "unit.B": ["Б", "Б", "B"],
  "unit.KB": ["КБ", "КБ", "KB"],
  "unit.MB": ["МБ", "МБ", "MB"],
  "unit.GB": ["ГБ", "ГБ", "GB"],
  "alarms.ack.failed": ["Растау мүмкін болмады", "Не удалось квитировать", "Could not acknowledge"],
  "error.silent": ["хаб жауап бермейді", "хаб не отвечает", "the hub does not answer"],
  "error.retry": ["хаб жауап бермейді, қайта қосылуда", "хаб не отвечает, переподключение", "the hub does not answer, trying again"],
  "error.load": ["Деректерді жүктеу мүмкін болмады", "Не удалось загрузить данные", "Could not load the data"],
} as const satisfies Record<string, readonly [string, string, string]>;

export type Key = keyof typeof TEXTS;

export function t(key: Key, language: Language): string {
  return TEXTS[key][LANGUAGES.indexOf(language)] as string;
}

/** Returns a key that came from data if the page has words for it, else the data itself. */
export function known(prefix: string, word: string, language: Language): string {
  const key = `${prefix}.${word}`;
  return key in TEXTS ? t(key as Key, language) : word;
}

/** Returns a label in the language, else in another one, else the fallback. */
export function label(texts: Label | undefined, language: Language, fallback: string): string {
  return texts?.[language] || texts?.ru || texts?.kk || texts?.en || fallback;
}
