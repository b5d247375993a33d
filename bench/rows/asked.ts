// A server that is asked about itself while it serves: what viewers notice of an API that is polled and of a console that is open, and how
// often the API answers beside nginx-rtmp's page of statistics.
import { planA, serveAskedBox, serveNginx } from "../boxes/servers.js";
import type { Contender, Row } from "../row.js";
import { measureAsked, type Asking } from "../runs/asked.js";
import { contender } from "./contenders.js";

/** Three dashboards' worth: 50 requests a second. */
const polled = ["/api/v1/summaries", "/api/v1/streams/", "/api/v1/clients/?count=100"].map((path) => `${path}@60`);

/** What the pages of the console ask for, each as often as it does: one open at every page takes more than a person does. */
const openConsole = [
  "/console/data/overview@2000",
  "/console/data/history?since=0@5000",
  "/console/data/streams?count=50@2000",
  "/console/data/clients?sort=-since&start=0&count=50@3000",
  "/console/data/relays@3000",
  "/console/data/config@10000",
];

const watched = { players: 2000, rampS: 3 };
const few = { players: 500, rampS: 2 };
const atOnce = 4;

const allClients = "/api/v1/clients/?count=1000";
const questions = [
  { path: "/api/v1/summaries", name: "/api/v1/summaries" },
  { path: allClients, name: "/api/v1/clients with all of them" },
];

export const askedRows: readonly Row[] = [
  {
    name: "2000 viewers (RTMP) while 50 API requests a second and a console are answered, over nobody who asks, 2 edges",
    contenders: ({ own }) => [
      contender(
        own.name,
        () => serveAskedBox(own, planA(2)),
        (serving) => measureAsked(serving, { ...watched, questions: [...polled, ...openConsole] }),
      ),
      contender(
        "nobody asks",
        () => serveAskedBox(own, planA(2)),
        (serving) => measureAsked(serving, { ...watched, questions: [] }),
      ),
    ],
    held: [
      { figure: "longestGapMs", as: "ratio", limit: { bar: 1.05, aim: 1 } },
      { figure: "latePlayers", as: "value", limit: { bar: 0, aim: 0 } },
      { figure: "edgesCpu", as: "ratio", limit: null },
      { figure: "cpu", as: "ratio", limit: null },
    ],
  },
  ...questions.map(({ path, name }): Row => ({
    name: `${name} without pause, 500 viewers, over nginx-rtmp's page of statistics`,
    contenders: ({ own, nginx }): readonly (Contender | string)[] => [
      contender(
        own.name,
        () => serveAskedBox(own, planA(1)),
        (serving) => measureAsked(serving, asking(path, { path: allClients, viewer: /"type":"rtmp-play"/g })),
      ),
      typeof nginx === "string"
        ? nginx
        : contender(
            "nginx-rtmp",
            () => serveNginx(nginx),
            (serving) => measureAsked(serving, asking("/stat", { path: "/stat", viewer: /<client>/g })),
          ),
    ],
    held: [
      { figure: "requestsPerS", as: "ratio", limit: null },
      { figure: "answerKib", as: "ratio", limit: null },
      { figure: "longestGapMs", as: "value", limit: null },
      { figure: "latePlayers", as: "value", limit: { bar: 0, aim: 0 } },
    ],
    remark:
      "nginx-rtmp's page tells all of its viewers, its one process serves them too, and it keeps connections; the API ends each with its " +
      "answer, as SRS's does",
  })),
];

function asking(path: string, shows: NonNullable<Asking["shows"]>): Asking {
  return { ...few, questions: Array.from({ length: atOnce }, () => path), shows };
}
