-- What captures say about who is what: the facts from which `lidr doctor --propose-site` writes a first site folder.
--
-- One row a fact: `fact`, the host that it is about, the other host, a port, a transport protocol, a value, how many rows or units (n), how
-- many other hosts (peers), and the first and the last place that proves it, as capture (or file) and frame (or line). No judgement
-- is made here: which of them become entries is decided where they are written, and each entry names its facts.
--
-- Each step is a table that later ones read; the last one is the answer.

-- table: talks
SELECT f.src_ip, f.dst_ip, f.src_port, f.dst_port, f.proto, max(CAST(f.app AS VARCHAR)) AS app,
  sum(CAST(f.src_packets AS BIGINT)) AS src_packets, sum(CAST(f.dst_packets AS BIGINT)) AS dst_packets,
  min(concat(coalesce(CAST(f.capture AS VARCHAR), CAST(f.file AS VARCHAR)), ' ', lpad(CAST(f.frame AS VARCHAR), 12, '0'))) AS place
FROM flow f
GROUP BY f.src_ip, f.dst_ip, f.src_port, f.dst_port, f.proto

-- table: senders
SELECT t.src_ip AS host, t.src_packets AS n, t.place FROM talks t WHERE t.src_packets > 0
UNION ALL SELECT t.dst_ip AS host, t.dst_packets AS n, t.place FROM talks t WHERE t.dst_packets > 0

-- table: managed
SELECT m.actor, m.ne, coalesce(CAST(m.actor_name AS VARCHAR), '') AS account, CAST(m.op AS VARCHAR) AS op, CAST(m.tap AS VARCHAR) AS tap,
  CAST(m.ne_name AS VARCHAR) AS engine, CAST(m.tap_returned AS BIGINT) AS tap_returned, m.src_ip, m.dst_ip, m.outcome = 'ok' AS ok,
  concat(coalesce(CAST(m.capture AS VARCHAR), CAST(m.file AS VARCHAR)), ' ', lpad(CAST(m.frame AS VARCHAR), 12, '0')) AS place
FROM mgmt m WHERE m.protocol = 'snmp'

-- table: asked
SELECT t.actor, t.ne, coalesce(CAST(t.actor_name AS VARCHAR), '') AS account, coalesce(CAST(t.ne_name AS VARCHAR), '') AS ne_name,
  CAST(t.op AS VARCHAR) AS op, CAST(t.did AS VARCHAR) AS did, CAST(t.dids AS BIGINT) AS dids, t.dest_ip, CAST(t.dest_port AS BIGINT) AS dest_port,
  coalesce(CAST(t.delivery_type AS VARCHAR), '') AS delivery_type, t.outcome = 'ok' AS ok, CAST(t.dst_port AS BIGINT) AS port, t.cleartext,
  concat(coalesce(CAST(t.capture AS VARCHAR), CAST(t.file AS VARCHAR)), ' ', lpad(CAST(t.frame AS VARCHAR), 12, '0')) AS place
FROM tasking t WHERE t.protocol = 'x1' AND t.op <> 'report'

-- table: told
SELECT t.actor, t.ne, concat(coalesce(CAST(t.capture AS VARCHAR), CAST(t.file AS VARCHAR)), ' ', lpad(CAST(t.frame AS VARCHAR), 12, '0')) AS place
FROM tasking t WHERE t.protocol = 'x1' AND t.op = 'report' AND t.outcome = 'ok'

-- table: product
SELECT d.ne, d.dest_ip, CAST(d.dest_port AS BIGINT) AS port, CAST(d.protocol AS VARCHAR) AS protocol, CAST(d.pdus AS BIGINT) AS pdus,
  coalesce(CAST(d.ne_name AS VARCHAR), '') AS ne_name,
  concat(coalesce(CAST(d.capture AS VARCHAR), CAST(d.file AS VARCHAR)), ' ', lpad(CAST(d.frame AS VARCHAR), 12, '0')) AS place
FROM delivery d

-- table: facts
SELECT 'sends' AS fact, ip_text(s.host) AS host, '' AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, '' AS value,
  sum(s.n) AS n, 0 AS peers, min(s.place) AS first, max(s.place) AS last
FROM senders s GROUP BY s.host
UNION ALL
SELECT 'serves' AS fact, ip_text(t.dst_ip) AS host, '' AS other, CAST(t.dst_port AS BIGINT) AS port, CAST(t.proto AS BIGINT) AS proto,
  t.app AS value, count(*) AS n, count(DISTINCT t.src_ip) AS peers, min(t.place) AS first, max(t.place) AS last
FROM talks t WHERE t.dst_packets > 0 AND t.src_packets > 0 AND t.app IS NOT NULL GROUP BY t.dst_ip, t.dst_port, t.proto, t.app
UNION ALL
SELECT 'is told' AS fact, ip_text(t.dst_ip) AS host, '' AS other, CAST(t.dst_port AS BIGINT) AS port, CAST(t.proto AS BIGINT) AS proto,
  coalesce(t.app, '') AS value, sum(t.src_packets) AS n, count(DISTINCT t.src_ip) AS peers, min(t.place) AS first, max(t.place) AS last
FROM talks t WHERE t.proto = 17 AND t.dst_packets = 0 AND t.dst_port IN (162, 514, 2055, 4739, 6343, 9995, 9996)
GROUP BY t.dst_ip, t.dst_port, t.proto, coalesce(t.app, '')
UNION ALL
SELECT 'logs in' AS fact, ip_text(t.src_ip) AS host, '' AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, t.app AS value,
  count(*) AS n, count(DISTINCT t.dst_ip) AS peers, min(t.place) AS first, max(t.place) AS last
FROM talks t WHERE t.app IN ('ssh', 'telnet', 'netconf', 'rdp') AND t.dst_packets > 0 GROUP BY t.src_ip, t.app
UNION ALL
SELECT 'manages' AS fact, ip_text(m.actor) AS host, ip_text(m.ne) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, m.account AS value,
  count(*) AS n, 1 AS peers, min(m.place) AS first, max(m.place) AS last
FROM managed m WHERE m.ok AND m.op NOT IN ('trap', 'inform', 'report', 'response') GROUP BY m.actor, m.ne, m.account
UNION ALL
SELECT 'handles taps' AS fact, ip_text(m.actor) AS host, ip_text(m.ne) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, m.account AS value,
  count(*) AS n, 1 AS peers, min(m.place) AS first, max(m.place) AS last
FROM managed m WHERE m.ok AND m.tap IS NOT NULL AND (m.tap_returned > 0 OR m.op = 'set') GROUP BY m.actor, m.ne, m.account
UNION ALL
SELECT 'changes taps' AS fact, ip_text(m.actor) AS host, ip_text(m.ne) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, m.account AS value,
  count(*) AS n, 1 AS peers, min(m.place) AS first, max(m.place) AS last
FROM managed m WHERE m.ok AND m.tap IS NOT NULL AND m.op = 'set' GROUP BY m.actor, m.ne, m.account
UNION ALL
SELECT 'changes taps' AS fact, ip_text(a.actor) AS host, ip_text(a.ne) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, '' AS value,
  count(*) AS n, 1 AS peers, min(a.place) AS first, max(a.place) AS last
FROM asked a WHERE a.ok AND a.op IN ('create', 'change', 'enable', 'disable', 'delete', 'destination_create', 'destination_change', 'destination_delete')
GROUP BY a.actor, a.ne
UNION ALL
SELECT 'reports to' AS fact, ip_text(t.ne) AS host, ip_text(t.actor) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, '' AS value,
  count(*) AS n, 1 AS peers, min(t.place) AS first, max(t.place) AS last
FROM told t GROUP BY t.actor, t.ne
UNION ALL
SELECT 'is engine' AS fact, ip_text(m.ne) AS host, '' AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, m.engine AS value,
  count(*) AS n, 0 AS peers, min(m.place) AS first, max(m.place) AS last
FROM managed m WHERE m.engine IS NOT NULL AND m.op NOT IN ('trap', 'inform', 'report') GROUP BY m.ne, m.engine
UNION ALL
SELECT 'notifies' AS fact, ip_text(m.src_ip) AS host, ip_text(m.dst_ip) AS other, CAST(NULL AS BIGINT) AS port, CAST(NULL AS BIGINT) AS proto, m.op AS value,
  count(*) AS n, 1 AS peers, min(m.place) AS first, max(m.place) AS last
FROM managed m WHERE m.op IN ('trap', 'inform') GROUP BY m.src_ip, m.dst_ip, m.op
UNION ALL
SELECT 'asks by x1' AS fact, ip_text(a.actor) AS host, ip_text(a.ne) AS other, a.port, CAST(NULL AS BIGINT) AS proto, a.account AS value,
  count(*) AS n, 1 AS peers, min(a.place) AS first, max(a.place) AS last
FROM asked a WHERE a.ok OR NOT a.cleartext GROUP BY a.actor, a.ne, a.port, a.account
UNION ALL
SELECT 'is x1 element' AS fact, ip_text(a.ne) AS host, '' AS other, a.port, CAST(NULL AS BIGINT) AS proto, a.ne_name AS value,
  count(*) AS n, count(DISTINCT a.actor) AS peers, min(a.place) AS first, max(a.place) AS last
FROM asked a WHERE a.ok OR NOT a.cleartext GROUP BY a.ne, a.port, a.ne_name
UNION ALL
SELECT 'is destination' AS fact, ip_text(a.dest_ip) AS host, ip_text(a.actor) AS other, a.dest_port AS port, CAST(NULL AS BIGINT) AS proto,
  concat(ip_text(a.ne), ' ', a.op, ' ', a.did, ' ', a.delivery_type) AS value,
  count(*) AS n, 1 AS peers, min(a.place) AS first, max(a.place) AS last
FROM asked a WHERE a.ok AND a.op IN ('destination_create', 'destination_change') AND a.dids = 1 AND a.dest_ip IS NOT NULL
GROUP BY a.dest_ip, a.actor, a.dest_port, concat(ip_text(a.ne), ' ', a.op, ' ', a.did, ' ', a.delivery_type)
UNION ALL
SELECT 'delivers' AS fact, ip_text(p.ne) AS host, ip_text(p.dest_ip) AS other, p.port, CAST(NULL AS BIGINT) AS proto, p.protocol AS value,
  sum(p.pdus) AS n, 1 AS peers, min(p.place) AS first, max(p.place) AS last
FROM product p GROUP BY p.ne, p.dest_ip, p.port, p.protocol HAVING sum(p.pdus) > 0

-- table: answer
SELECT f.fact, f.host, f.other, f.port, f.proto, f.value, CAST(f.n AS BIGINT) AS n, CAST(f.peers AS BIGINT) AS peers, f.first, f.last
FROM facts f
ORDER BY f.fact, f.host, f.other, f.port, f.proto, f.value
