/** Small file operations that survive a loss of power. */
import { open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

/** The file's text; undefined if there is no such file. */
export const readIfThere = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })

/** Makes a rename or a new file in `directory` durable. */
export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes the whole file or nothing. */
export const writeWhole = async (path: string, text: string): Promise<void> => {
  const temporary = `${path}.${process.pid}`
  const handle = await open(temporary, "w", 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

export const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true })
