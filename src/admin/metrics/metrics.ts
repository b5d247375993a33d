// What Prometheus scrapes, at the exporter's port and at /metrics of the API's. Where there is no exporter, SRS's number for that.
import type { AdminContext } from "../box/context.js";
import { reply, safeHeaders, type Exchange } from "../http/reply.js";

/** SRS: the exporter is disabled. */
const exporterDisabled = 1090;

/** Answers one scrape. */
export async function answerMetrics(context: AdminContext, exchange: Exchange): Promise<void> {
  const { exporter } = context.config();
  if (exporter.listen.length === 0) {
    reply(exchange, { code: exporterDisabled });
    return;
  }
  const facts = await context.view.facts();
  const labels = Object.entries({ server: facts.serverId, service: facts.serviceId, pid: String(facts.pid), version: facts.version });
  const text = `# HELP srs_build_info SRS build info.\n# TYPE srs_build_info gauge\nsrs_build_info{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}} 1\n`;
  exchange.response.writeHead(200, { ...safeHeaders, "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
}
