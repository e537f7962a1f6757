/** The body of a reply that is no answer, as far as it is understood. No field but `where`, and `code` where it is a code's name, is free of content. */
export interface ErrorBody {
  /** The service's code and type of the error, or an empty text each. */
  readonly code: string;
  readonly type: string;
  /** The parts of the request that it names. */
  readonly where: readonly string[];
  /** The service's own words, which may quote the row; an empty text where it has none. */
  readonly words: string;
  readonly innerCode: string;
  /** By name the filters of Azure OpenAI, and whether each acted. */
  readonly filters: Readonly<Record<string, unknown>>;
  /** True if the body itself says when to come again. */
  readonly saysWhen: boolean;
  /** The kind of the body, where it is no error of a chat completions API: then another service has replied. */
  readonly foreign: string | undefined;
}

/** Words are shown of no more than the beginning of a body. */
const maxWordCharacters = 300;
const maxPageCharacters = 2000;

/** Reads the body of an error: of OpenAI and Azure OpenAI, of what speaks like them, and of whoever else may stand at the address. */
export function readErrorBody(body: string): ErrorBody {
  const text = body.trim(); // a byte order mark, too
  if (text === "") return foreignBody("an empty body", "");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return markup.test(text) ? foreignBody("an HTML page", textOfPage(text)) : foreignBody("plain text", text);
  }
  if (Array.isArray(parsed)) return { ...errorOf(parsed.find(isObject) ?? {}), foreign: "a JSON array" };
  return isObject(parsed) ? errorOf(parsed) : foreignBody(`a JSON ${typeof parsed}`, textIn(parsed));
}

const markup = /^<(?:!doctype|\?xml|html|head|body|h\d|p|div|center|title|!--|[a-z][\w:-]*[\s>])/i;

function foreignBody(foreign: string, words: string): ErrorBody {
  const nothing = { code: "", type: "", where: [], innerCode: "", filters: {}, saysWhen: false };
  return { ...nothing, words: words.slice(0, maxWordCharacters), foreign };
}

/** Of OpenAI: `{ error: { message, type, param, code } }`. vLLM and API Management leave out `error`, FastAPI says `detail`. */
function errorOf(body: Fields): ErrorBody {
  const nested = body["error"] ?? body["detail"];
  const error = isObject(nested) ? nested : body;
  const isText = typeof nested === "string";
  const list = [body["detail"], body["errors"], error["details"], error["errors"]].find((each) => Array.isArray(each));
  const items: readonly Fields[] = Array.isArray(list) ? list.filter((each) => isObject(each)) : [];
  const inner = objectIn(error["innererror"]);
  const own = isText ? nested : firstText(error, ["message", "msg", "reason"]);
  const other = firstText(body, [
    "message",
    "detail",
    "title",
    "error_description",
    "error_msg",
    "Message",
    "msg",
    "reason",
  ]);
  const said = own === "" ? other : own;
  const listed = items.map((item) =>
    [placeOf(item), firstText(item, ["message", "msg", "detail"])].filter(Boolean).join(": "),
  );
  const words = (said === "" ? listed.filter(Boolean).join("; ") : said).slice(0, maxWordCharacters);
  const isKnown =
    isObject(body["error"]) || isText || typeof body["message"] === "string" || Array.isArray(body["detail"]);
  return {
    code: firstText(error, ["code"]),
    type: firstText(error, ["type", "status"]),
    where: [...placesOf(error["param"]), ...items.flatMap((item) => [firstText(item, ["type"]), placeOf(item)])].filter(
      isName,
    ),
    words,
    innerCode: firstText(inner, ["code"]),
    filters: objectIn(inner["content_filter_result"]),
    saysWhen: items.some((item) => "retryDelay" in item) || sayingWhen.test(said.slice(0, 5000)),
    foreign: isKnown ? undefined : "JSON that is no error of a chat completions API",
  };
}

const sayingWhen = /(?:retry|try again) (?:in|after) \d/i;

/** The place of one error of a list: FastAPI's `loc` is a path. */
function placeOf(item: Fields): string {
  const { loc } = item;
  return Array.isArray(loc) ? loc.map(textIn).join(".") : "";
}

function placesOf(param: unknown): string[] {
  return (Array.isArray(param) ? param : [param]).map(textIn);
}

/**
 * True for a name of the API, written as APIs write names: `max_tokens`, `messages[1].content`, `responseFormat`. A word of a row
 * that a service takes for a name is seldom written so.
 */
function isName(text: string): boolean {
  const parts = text.replaceAll("]", "").split(/[.[]/);
  return (
    text.length <= 64 &&
    parts.every((part) => /^(?:\d+|[a-z][a-z0-9]*(?:_[a-z0-9]+)*|[a-z]+(?:[A-Z][a-z]+)+)$/.test(part))
  );
}

/** The same for a code: also `DeploymentNotFound`. */
export function isCodeName(text: string): boolean {
  return isName(text) || (text.length <= 64 && /^[A-Z]+[a-z]+(?:[A-Z]+[a-z]+)+$/.test(text));
}

/** True for a body that is one JSON object. */
export function parsesAsObject(body: string): boolean {
  try {
    return isObject(JSON.parse(body));
  } catch {
    return false;
  }
}

function firstText(fields: Fields, names: readonly string[]): string {
  return names.map((name) => textIn(fields[name])).find((text) => text !== "") ?? "";
}

function textIn(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectIn(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function textOfPage(page: string): string {
  return page
    .slice(0, maxPageCharacters)
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
}
