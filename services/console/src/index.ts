/** The shell: zkCli.sh's commands and formats, for people, pipes and scripts. */
export { type ConsoleStreams, runConsole } from "./console.ts"
