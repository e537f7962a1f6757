import type { CellContent } from "./cell-text.ts";
import { serialOfDate } from "./dates.ts";
import { columnLetters } from "./sheet-rows.ts";
import { encodeText } from "./text-escapes.ts";

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"';
const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const packaged = "http://schemas.openxmlformats.org/package/2006";
const spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/** The part with the rows. */
export const sheetPart = "xl/worksheets/sheet1.xml";

/** The styles of cells, by their numbers. */
const dayStyle = 1;
const secondStyle = 2;
const millisecondStyle = 3;
const headerStyle = 4;

/** The parts of a workbook with one sheet, but for the sheet. */
export function smallParts(sheet: string): readonly (readonly [name: string, xml: string])[] {
  return [
    ["[Content_Types].xml", contentTypes],
    ["_rels/.rels", relations([["officeDocument", "xl/workbook.xml"]])],
    ["xl/workbook.xml", workbook(sheet)],
    [
      "xl/_rels/workbook.xml.rels",
      relations([
        ["worksheet", "worksheets/sheet1.xml"],
        ["styles", "styles.xml"],
      ]),
    ],
    ["xl/styles.xml", styles],
  ];
}

const contentTypes = `${declaration}<Types xmlns="${packaged}/content-types">${[
  '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>',
  '<Default Extension="xml" ContentType="application/xml"/>',
  `<Override PartName="/xl/workbook.xml" ContentType="${spreadsheet}.sheet.main+xml"/>`,
  `<Override PartName="/${sheetPart}" ContentType="${spreadsheet}.worksheet+xml"/>`,
  `<Override PartName="/xl/styles.xml" ContentType="${spreadsheet}.styles+xml"/>`,
].join("")}</Types>`;

function relations(targets: readonly (readonly [kind: string, target: string])[]): string {
  const items = targets.map(
    ([kind, target], index) => `<Relationship Id="rId${index + 1}" Type="${office}/${kind}" Target="${target}"/>`,
  );
  return `${declaration}<Relationships xmlns="${packaged}/relationships">${items.join("")}</Relationships>`;
}

function workbook(sheet: string): string {
  const sheets = `<sheets><sheet name="${encodeText(sheet)}" sheetId="1" r:id="rId1"/></sheets>`;
  return `${declaration}<workbook ${main} xmlns:r="${office}">${sheets}</workbook>`;
}

const formats = [String.raw`yyyy\-mm\-dd`, String.raw`yyyy\-mm\-dd\ hh:mm:ss`, String.raw`yyyy\-mm\-dd\ hh:mm:ss.000`];
const plain = 'fontId="0" fillId="0" borderId="0"';

const styles = `${declaration}<styleSheet ${main}>${[
  `<numFmts count="3">${formats.map((code, index) => `<numFmt numFmtId="${164 + index}" formatCode="${code}"/>`).join("")}</numFmts>`,
  '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>',
  '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>',
  '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>',
  `<cellStyleXfs count="1"><xf numFmtId="0" ${plain}/></cellStyleXfs>`,
  `<cellXfs count="5"><xf numFmtId="0" ${plain} xfId="0"/>`,
  ...formats.map((_, index) => `<xf numFmtId="${164 + index}" ${plain} xfId="0" applyNumberFormat="1"/>`),
  '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>',
  '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>',
].join("")}</styleSheet>`;

/** The beginning of a sheet: its first row, which stays in sight, names the columns. */
export function sheetBegin(columns: readonly string[]): string {
  const pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>';
  const views = `<sheetViews><sheetView tabSelected="1" workbookViewId="0">${pane}</sheetView></sheetViews>`;
  const names = columns.map((name, index) => textCell(`${columnLetters(index + 1)}1`, name, headerStyle));
  return `${declaration}<worksheet ${main}>${views}<sheetData><row r="1">${names.join("")}</row>`;
}

export const sheetEnd = "</sheetData></worksheet>";

/** One row of a sheet; `letters` are those of its columns. */
export function rowXML(number: number, letters: readonly string[], cells: readonly CellContent[]): string {
  let xml = `<row r="${number}">`;
  for (const [index, cell] of cells.entries()) {
    if (cell === null) continue;
    const place = `${letters[index] ?? ""}${number}`;
    if (typeof cell === "string") xml += textCell(place, cell);
    else if (typeof cell === "number") xml += `<c r="${place}"><v>${numberText(cell)}</v></c>`;
    else if (typeof cell === "boolean") xml += `<c r="${place}" t="b"><v>${cell ? 1 : 0}</v></c>`;
    else xml += `<c r="${place}" s="${styleOfDate(cell)}"><v>${serialOfDate(cell) ?? ""}</v></c>`;
  }
  return `${xml}</row>`;
}

/** Beyond 2^53 as Excel writes it, for a whole number with all its digits is read as exact. */
function numberText(number: number): string {
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? number.toExponential() : String(number);
}

function textCell(place: string, text: string, style?: number): string {
  const keep = /^\s|\s$|\n/.test(text) ? ' xml:space="preserve"' : "";
  const look = style === undefined ? "" : ` s="${style}"`;
  return `<c r="${place}"${look} t="inlineStr"><is><t${keep}>${encodeText(text)}</t></is></c>`;
}

function styleOfDate(date: Date): number {
  const time = date.getTime();
  if (time % 86_400_000 === 0) return dayStyle;
  return time % 1000 === 0 ? secondStyle : millisecondStyle;
}
