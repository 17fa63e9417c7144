/**
 * Loads the product's cores and services a second time, with one fragment of one file replaced: a bug, without a trace of
 * it in the product's source. Everything that has no part in it (bus, store, protocol…) stays the same module.
 */
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Cast } from "@zkmesh/simulator"
import { type Exhibit, exhibits } from "./exhibits.ts"

const ROOT = resolve(import.meta.dirname, "../../../..")
const PREFIX = pathToFileURL(`${ROOT}/`).href
/** What a mutation may be in, and whatever uses that. */
const RELOADED =
  /^(libs\/(zab|election|tree|session)|services\/(election|broadcast|znode|session|frontend|simulation))\/src\//
const MARK = "?exhibit="

/** The fragment that an exhibit replaces is not there any more: it has to be brought up to date with the product. */
export class StaleExhibit extends Error {
  override readonly name = "StaleExhibit"
}

/** The source of one of the exhibit's files, mutated. */
export const mutatedSource = (exhibit: Exhibit, file: string): string => {
  let source = readFileSync(join(ROOT, file), "utf8")
  for (const edit of exhibit.edits) {
    if (edit.file !== file) continue
    const parts = source.split(edit.fragment)
    if (parts.length !== 2) {
      throw new StaleExhibit(`${exhibit.name}: a fragment is ${parts.length - 1} times in ${file}, not once`)
    }
    source = parts.join(edit.replacement)
  }
  return source
}

const markOf = (url: string | undefined): string | undefined => {
  const at = url?.indexOf(MARK) ?? -1
  return at < 0 ? undefined : url!.slice(at + MARK.length)
}

let isRegistered = false

const register = (): void => {
  if (isRegistered) return
  isRegistered = true
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context)
      const mark = markOf(context.parentURL)
      if (mark === undefined || !resolved.url.startsWith(PREFIX) || markOf(resolved.url) !== undefined) return resolved
      const path = resolved.url.slice(PREFIX.length)
      return RELOADED.test(path) ? { ...resolved, url: `${resolved.url}${MARK}${mark}` } : resolved
    },
    load: (url, context, next) => {
      const mark = markOf(url)
      const exhibit = mark === undefined ? undefined : exhibits.find(({ name }) => name === decodeURIComponent(mark))
      const file = url.slice(PREFIX.length, url.indexOf(MARK))
      if (exhibit?.edits.some((edit) => edit.file === file) !== true) return next(url, context)
      return { format: "module-typescript", source: mutatedSource(exhibit, file), shortCircuit: true }
    }
  })
}

/** The product's services with the exhibit's bug in them. */
export const mutatedCast = async (exhibit: Exhibit): Promise<Cast> => {
  register()
  const url = `${pathToFileURL(join(import.meta.dirname, "../cast.ts")).href}${MARK}${encodeURIComponent(exhibit.name)}`
  const module: { readonly cast: Cast } = await import(url)
  return module.cast
}
