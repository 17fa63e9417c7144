import type { Acl } from "./constants.ts"
import type { JuteReader } from "./reader.ts"
import {
  type ClientInfo,
  present,
  type ReceivedStat,
  readAcls,
  readClientInfo,
  readStat,
  type Stat,
  writeAcls,
  writeClientInfo,
  writeStat
} from "./records.ts"
import type { JuteWriter } from "./writer.ts"

// Response bodies, after the ReplyHeader. exists, setData and setACL answer a bare Stat: writeStat and readStat.

/** create answers the final path; sync echoes the path that it was given, null too. */
export const writePathResponse = (writer: JuteWriter, path: string | null): void => writer.ustring(path)
export const readPathResponse = (reader: JuteReader): string | null => reader.ustring()

/** create2, createContainer and createTTL. */
export const writeCreate2Response = (writer: JuteWriter, path: string, stat: Stat): void => {
  writer.ustring(path)
  writeStat(writer, stat)
}
export const readCreate2Response = (reader: JuteReader): { path: string; stat: ReceivedStat } => ({
  path: reader.string(),
  stat: readStat(reader)
})

/** getData, and reconfig with the new configuration as data. */
export const writeGetDataResponse = (writer: JuteWriter, data: Uint8Array | null, stat: Stat): void => {
  writer.buffer(data)
  writeStat(writer, stat)
}
export const readGetDataResponse = (reader: JuteReader): { data: Uint8Array | null; stat: ReceivedStat } => ({
  data: reader.buffer(),
  stat: readStat(reader)
})

export const writeGetACLResponse = (writer: JuteWriter, acl: ReadonlyArray<Acl>, stat: Stat): void => {
  writeAcls(writer, acl)
  writeStat(writer, stat)
}
export const readGetACLResponse = (reader: JuteReader): { acl: Array<Acl>; stat: ReceivedStat } => ({
  acl: readAcls(reader) ?? [],
  stat: readStat(reader)
})

/** getChildren and getEphemerals. */
export const writePathsResponse = (writer: JuteWriter, names: ReadonlyArray<string>): void => writer.ustrings(names)
export const readPathsResponse = (reader: JuteReader): Array<string> => reader.ustrings()

export const writeGetChildren2Response = (writer: JuteWriter, names: ReadonlyArray<string>, stat: Stat): void => {
  writer.ustrings(names)
  writeStat(writer, stat)
}
export const readGetChildren2Response = (reader: JuteReader): { children: Array<string>; stat: ReceivedStat } => ({
  children: reader.ustrings(),
  stat: readStat(reader)
})

/** getAllChildrenNumber. */
export const writeNumberResponse = (writer: JuteWriter, total: number): void => writer.int(total)
export const readNumberResponse = (reader: JuteReader): number => reader.int()

/** addWatch answers with the code of its success. */
export const writeErrorResponse = (writer: JuteWriter, err: number): void => writer.int(err)
export const readErrorResponse = (reader: JuteReader): number => reader.int()

export const writeWhoAmIResponse = (writer: JuteWriter, infos: ReadonlyArray<ClientInfo>): void =>
  writer.vector(infos, writeClientInfo)
export const readWhoAmIResponse = (reader: JuteReader): Array<ClientInfo> =>
  present(reader.vector(readClientInfo), "whoAmI's list")
