/** An upload of the Files API. */
export interface Upload {
  readonly name: string;
  readonly purpose: string;
  readonly content: Uint8Array;
}

/** Reads the form of an upload; a text says what is wrong with it. */
export async function readUpload(body: Buffer, contentType: string | undefined): Promise<Upload | string> {
  let form: FormData;
  try {
    form = await new Response(new Uint8Array(body), { headers: { "content-type": contentType ?? "" } }).formData();
  } catch {
    return "The body is not a form with files (multipart/form-data).";
  }
  const file = form.get("file");
  const purpose = form.get("purpose");
  if (typeof file === "string" || file === null) return "The form has no file.";
  if (typeof purpose !== "string") return "The form has no purpose.";
  return { name: file.name, purpose, content: new Uint8Array(await file.arrayBuffer()) };
}
