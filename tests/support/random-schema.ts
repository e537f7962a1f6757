import fc from "fast-check";
import { z } from "zod";

/** Object schemas with everything that a model can be asked for but a `pattern`, nested at most three deep. */
export function randomSchema(): fc.Arbitrary<z.ZodObject> {
  return object(field(3));
}

function object(of: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodObject> {
  const name = fc.constantFrom("a", "b", "reasoning", "confidence", "category", "with blank", "größe", "constructor");
  return fc
    .uniqueArray(fc.tuple(name, of), { minLength: 1, maxLength: 4, selector: ([key]) => key })
    .map((fields) => z.object(Object.fromEntries(fields)));
}

function field(depth: number): fc.Arbitrary<z.ZodType> {
  const inner: fc.Arbitrary<z.ZodType> =
    depth === 0 ? scalar() : fc.oneof({ weight: 3, arbitrary: scalar() }, nested(depth));
  return fc
    .tuple(inner, fc.constantFrom("", "", "optional", "nullable", "nullish", "described"))
    .map(([type, wrap]) => {
      if (wrap === "optional") return type.optional();
      if (wrap === "nullable") return type.nullable();
      if (wrap === "nullish") return type.nullish();
      return wrap === "described" ? type.describe("What it means. Limits: none") : type;
    });
}

function nested(depth: number): fc.Arbitrary<z.ZodType> {
  const of = field(depth - 1);
  const list = fc
    .tuple(of, fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 3 }))
    .map(([item, minimum, more]) =>
      z
        .array(item)
        .min(minimum)
        .max(minimum + more),
    );
  const union = fc
    .tuple(object(of), object(of))
    .map(([one, other]) =>
      z.discriminatedUnion("kind", [
        one.extend({ kind: z.literal("one") }),
        other.extend({ kind: z.literal("other") }),
      ]),
    );
  return fc.oneof(object(of), list, listOf(of), union);
}

function listOf(of: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodType> {
  return of.map((item) => z.array(item));
}

function scalar(): fc.Arbitrary<z.ZodType> {
  const bounds = fc.tuple(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
  );
  const lengths = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 500 }));
  const words = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 5 });
  const formats = [z.email(), z.url(), z.uuid(), z.iso.date(), z.iso.datetime(), z.ipv4(), z.base64(), z.ulid()];
  return fc.oneof(
    fc.constantFrom<z.ZodType>(z.string(), z.number(), z.int(), z.boolean(), z.null(), ...formats),
    fc.constantFrom<z.ZodType>(z.number().negative(), z.number().positive(), z.int().negative(), z.number().max(-5)),
    lengths.map(([minimum, more]) =>
      z
        .string()
        .min(minimum)
        .max(minimum + more),
    ),
    bounds.map(([minimum, more]) =>
      z
        .number()
        .min(minimum)
        .max(minimum + more),
    ),
    bounds.map(([minimum, more]) =>
      z
        .number()
        .gt(minimum)
        .lt(minimum + more),
    ),
    bounds.map(([minimum]) => z.number().min(minimum)),
    bounds.map(([maximum]) => z.number().lt(maximum)),
    fc.integer({ min: -1000, max: 1000 }).map((minimum) =>
      z
        .int()
        .min(minimum)
        .max(minimum + 3),
    ),
    fc.integer({ min: 1, max: 12 }).map((divisor) =>
      z
        .number()
        .multipleOf(divisor)
        .min(0)
        .max(divisor * 5),
    ),
    words.map((values) => z.enum(values)),
    words.map((values) => z.literal(values)),
    fc.constant(z.string().default("standard")),
    fc.constant(z.union([z.string(), z.number()])),
  );
}
