-- The state of every tap at one moment, reconciled from four sources that may contradict each other: the register of orders, what
-- administration functions asked for, what elements say that they run, and the product on the wire. `lidr report taps` runs it.
--
-- $end is the moment; $start lies $silence before it. Tunables are those of the rules that say the same of single events, so that
-- report and findings agree: $emergency and $drain of LI-01, $early and $late of LI-02, $ended of LI-14, $silence and $packets of
-- LI-15. $destinations and $elements say whether the site has these tables, $blind which sensors were blind then (AF-08).
--
-- A tap is (ne, id): the element and its task, or the LIID where product names no task. Requests of agencies (HI1) are no source.
--
-- Each step is a table that later ones read; the last one is the answer.

-- table: approved_by
SELECT DISTINCT a.order_id FROM warrants_approvers a

-- table: orders
SELECT w.order_id, w.xid, w.cccid, w.liid, w.target, w.start AS since, w."end" AS until, coalesce(w.test, false) AS test,
  CASE
    WHEN lower(w.state) NOT IN ('approved', 'pending', 'expired') THEN lower(w.state)
    WHEN lower(w.state) = 'pending' AND NOT (coalesce(w.emergency, false) AND a.order_id IS NOT NULL) THEN 'not approved'
    WHEN lower(w.state) = 'pending' AND coalesce(w.start, w.created_at) + INTERVAL $emergency < $end THEN 'without its paperwork'
    WHEN w.start - INTERVAL $early > $end THEN 'not begun'
    WHEN w."end" + INTERVAL $late < $end OR (lower(w.state) = 'expired' AND w."end" IS NULL) THEN 'expired'
    ELSE 'in force'
  END AS standing
FROM warrants w LEFT JOIN approved_by a ON a.order_id = w.order_id

-- table: order_ids
SELECT o.xid AS id, o.order_id, o.standing, o.since, o.until, o.liid FROM orders o WHERE o.xid IS NOT NULL
UNION ALL SELECT o.cccid AS id, o.order_id, o.standing, o.since, o.until, o.liid FROM orders o WHERE o.cccid IS NOT NULL
UNION ALL SELECT o.liid AS id, o.order_id, o.standing, o.since, o.until, o.liid FROM orders o WHERE o.liid IS NOT NULL
UNION ALL SELECT o.target AS id, o.order_id, o.standing, o.since, o.until, o.liid FROM orders o WHERE o.target IS NOT NULL

-- table: held
SELECT count(w.xid) + count(w.cccid) AS tasks, count(w.liid) AS liids, count(w.target) AS targets FROM warrants w

-- table: dark
SELECT $blind <> '' AS blind, $blind AS sensors

-- Who may ask: administration functions, and the managers that an element has.
-- table: admfs
SELECT DISTINCT e.address FROM elements e WHERE e.role = 'admf' AND e.address IS NOT NULL

-- table: entitled
SELECT DISTINCT e.address AS ne, g.address AS actor, g.user AS account FROM elements e JOIN elements_managers g ON g.name = e.name

-- table: asked
SELECT t.ne, t.task, t.liid, t.target, CAST(t.op AS VARCHAR) AS op, t.outcome = 'ok' AS ok, t.protocol = 'record' AS record,
  t.protocol = 'snmp' AS snmp, CAST(t.list_kind AS VARCHAR) AS list_kind, CAST(t.status AS VARCHAR) AS status, t.actor,
  CAST(t.actor_name AS VARCHAR) AS account, CAST(t.did AS VARCHAR) AS did, t.dest_ip, CAST(t.dest_port AS BIGINT) AS dest_port,
  t.timeout, t.due, t.frame, t.n,
  CASE WHEN t.file IS NULL THEN concat('frame ', t.frame, ' of ', CAST(t.capture AS VARCHAR)) ELSE concat(CAST(t.file AS VARCHAR), ':', t.frame) END AS origin
FROM tasking t
WHERE t.due <= $end AND t.outcome <> 'refused' AND t.protocol <> 'hi1'

-- table: steps
SELECT a.ne, a.task, a.due, a.frame, a.n, a.origin, a.actor, a.snmp,
  CASE
    WHEN a.op IN ('report', 'get') THEN a.status = 'active'
    ELSE a.op IN ('enable', 'change') OR (a.op = 'create' AND NOT a.snmp)
  END AS runs,
  CASE
    WHEN a.op = 'report' THEN h.address IS NOT NULL
    WHEN a.op = 'get' THEN false
    ELSE a.record OR f.address IS NOT NULL OR g.ne IS NOT NULL
  END AS by_admf,
  CASE WHEN a.op = 'report' THEN h.address IS NULL ELSE a.ok AND NOT a.record END AS by_element,
  a.op NOT IN ('report', 'get') AS request
FROM asked a
  LEFT JOIN admfs f ON f.address = a.actor
  LEFT JOIN admfs h ON h.address = a.ne
  LEFT JOIN entitled g ON g.ne = a.ne AND g.actor = a.actor AND (g.account IS NULL OR g.account = a.account)
WHERE a.task IS NOT NULL
  AND (a.op IN ('enable', 'disable', 'delete') OR (a.op IN ('create', 'change') AND NOT a.snmp)
    OR (a.op = 'report' AND a.list_kind = 'tasks' AND a.status IS NOT NULL) OR (a.op = 'get' AND a.status IS NOT NULL))

-- table: tasks
SELECT DISTINCT s.ne, s.task FROM steps s

-- Everything was ended at once.
-- table: moves
SELECT s.* FROM steps s
UNION ALL
SELECT t.ne, t.task, a.due, a.frame, a.n, a.origin, a.actor, a.snmp, false AS runs,
  a.record OR f.address IS NOT NULL OR g.ne IS NOT NULL AS by_admf, a.ok AND NOT a.record AS by_element, true AS request
FROM asked a JOIN tasks t ON t.ne = a.ne
  LEFT JOIN admfs f ON f.address = a.actor
  LEFT JOIN entitled g ON g.ne = a.ne AND g.actor = a.actor AND (g.account IS NULL OR g.account = a.account)
WHERE a.op = 'delete' AND a.task IS NULL AND a.list_kind = 'tasks'

-- table: of_admf
SELECT * FROM (
  SELECT m.*, row_number() OVER (PARTITION BY m.ne, m.task ORDER BY m.due DESC, m.frame DESC, m.n DESC) AS k FROM moves m WHERE m.by_admf
) x WHERE x.k = 1

-- table: of_element
SELECT * FROM (
  SELECT m.*, row_number() OVER (PARTITION BY m.ne, m.task ORDER BY m.due DESC, m.frame DESC, m.n DESC) AS k FROM moves m WHERE m.by_element
) x WHERE x.k = 1

-- Who switched it on last, and when the present run of the task began.
-- table: started
SELECT * FROM (
  SELECT m.*, row_number() OVER (PARTITION BY m.ne, m.task ORDER BY m.due DESC, m.frame DESC, m.n DESC) AS k FROM moves m WHERE m.runs AND m.request
) x WHERE x.k = 1

-- table: stopped
SELECT m.ne, m.task, max(m.due) AS due FROM moves m WHERE NOT m.runs GROUP BY m.ne, m.task

-- table: begun
SELECT m.ne, m.task, min(m.due) AS due FROM moves m LEFT JOIN stopped s ON s.ne = m.ne AND s.task = m.task
WHERE m.runs AND (s.due IS NULL OR m.due > s.due) GROUP BY m.ne, m.task

-- table: latest
SELECT a.ne, a.task, a.liid, a.target, a.did, a.timeout, a.dest_ip, a.dest_port, a.due, a.origin,
  row_number() OVER (PARTITION BY a.ne, a.task, a.liid IS NULL ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k_liid,
  row_number() OVER (PARTITION BY a.ne, a.task, a.target IS NULL ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k_target,
  row_number() OVER (PARTITION BY a.ne, a.task, a.did IS NULL ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k_did,
  row_number() OVER (PARTITION BY a.ne, a.task, a.timeout IS NULL ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k_timeout,
  row_number() OVER (PARTITION BY a.ne, a.task, a.dest_ip IS NULL ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k_place
FROM asked a WHERE a.task IS NOT NULL

-- table: liids
SELECT l.ne, l.task, l.liid FROM latest l WHERE l.liid IS NOT NULL AND l.k_liid = 1

-- table: targets
SELECT l.ne, l.task, l.target FROM latest l WHERE l.target IS NOT NULL AND l.k_target = 1

-- table: timeouts
SELECT l.ne, l.task, l.timeout FROM latest l WHERE l.timeout IS NOT NULL AND l.k_timeout = 1

-- Product, by stream; at the tap whose task it names, wherever the element delivers from.
-- table: units
SELECT d.ne, d.task, d.liid, d.dest_ip, CAST(d.dest_port AS BIGINT) AS dest_port, upper(CAST(d.protocol AS VARCHAR)) AS product, d.due,
  CASE WHEN d.file IS NULL THEN concat('frame ', d.frame, ' of ', CAST(d.capture AS VARCHAR)) ELSE concat(CAST(d.file AS VARCHAR), ':', d.frame) END AS origin,
  row_number() OVER (PARTITION BY d.ne, d.task, d.liid, d.dest_ip, d.dest_port, d.protocol ORDER BY d.due DESC, d.frame DESC, d.n DESC) AS k
FROM delivery d
WHERE d.due <= $end AND d.pdus > 0

-- table: product
SELECT u.* FROM units u WHERE u.k = 1 AND (u.task IS NOT NULL OR u.liid IS NOT NULL)

-- table: paths
SELECT u.ne, bool_or(u.task IS NULL AND u.liid IS NULL) AS unnamed FROM units u GROUP BY u.ne

-- table: homes
SELECT t.task, min(t.ne) AS ne FROM tasks t GROUP BY t.task

-- table: placed
SELECT coalesce(s.ne, h.ne, p.ne) AS ne, p.task AS id, p.liid, p.dest_ip, p.dest_port, p.product, p.due, p.origin
FROM product p LEFT JOIN tasks s ON s.ne = p.ne AND s.task = p.task LEFT JOIN homes h ON h.task = p.task
WHERE p.task IS NOT NULL

-- table: names
SELECT t.ne, t.task AS id, t.task AS name, 1 AS how FROM tasks t
UNION SELECT p.ne, p.id, p.id AS name, 1 AS how FROM placed p
UNION SELECT l.ne, l.task AS id, l.liid AS name, 2 AS how FROM liids l
UNION SELECT p.ne, p.id, p.liid AS name, 2 AS how FROM placed p WHERE p.liid IS NOT NULL
UNION SELECT g.ne, g.task AS id, g.target AS name, 3 AS how FROM targets g

-- table: ordered
SELECT n.ne, n.id, i.order_id, i.standing, i.since, i.until, i.liid,
  row_number() OVER (
    PARTITION BY n.ne, n.id
    ORDER BY CASE i.standing WHEN 'in force' THEN 0 WHEN 'expired' THEN 1 WHEN 'not begun' THEN 2 ELSE 3 END, n.how, i.until DESC, token(i.order_id)
  ) AS k
FROM names n JOIN order_ids i ON i.id = n.name

-- Product that names a LIID only belongs to the tap with that LIID, or is one by itself.
-- table: liid_homes
SELECT y.liid, y.ne, y.id, row_number() OVER (PARTITION BY y.liid ORDER BY token(y.ne), token(y.id)) AS k FROM (
  SELECT l.liid, l.ne, l.task AS id FROM liids l
  UNION SELECT o.liid, o.ne, o.id FROM ordered o WHERE o.k = 1 AND o.liid IS NOT NULL
) y

-- table: handed
SELECT coalesce(h.ne, p.ne) AS ne, coalesce(h.id, p.liid) AS id, h.liid IS NULL AS alone, p.liid, p.dest_ip, p.dest_port, p.product, p.due, p.origin
FROM product p LEFT JOIN liid_homes h ON h.liid = p.liid AND h.k = 1
WHERE p.task IS NULL

-- table: best
SELECT o.ne, o.id, o.order_id, o.standing, o.since, o.until FROM ordered o WHERE o.k = 1
UNION ALL
SELECT z.ne, z.id, z.order_id, z.standing, z.since, z.until FROM (
  SELECT h.ne, h.id, i.order_id, i.standing, i.since, i.until,
    row_number() OVER (PARTITION BY h.ne, h.id ORDER BY CASE i.standing WHEN 'in force' THEN 0 WHEN 'expired' THEN 1 ELSE 2 END, i.until DESC, token(i.order_id)) AS k
  FROM (SELECT DISTINCT h.ne, h.id FROM handed h WHERE h.alone) h JOIN order_ids i ON i.id = h.id
) z WHERE z.k = 1

-- table: streams
SELECT p.ne, p.id, p.dest_ip, p.dest_port, p.product, p.due, p.origin FROM placed p
UNION ALL SELECT h.ne, h.id, h.dest_ip, h.dest_port, h.product, h.due, h.origin FROM handed h

-- table: newest
SELECT s.*, max(s.due) OVER (PARTITION BY s.ne, s.id) AS last,
  row_number() OVER (PARTITION BY s.ne, s.id ORDER BY s.due DESC, s.product, s.origin) AS k
FROM streams s

-- Where product goes now, and where the element was told to send it.
-- table: dids
SELECT l.ne, l.task, l.did FROM latest l WHERE l.did IS NOT NULL AND l.k_did = 1

-- table: did_homes
SELECT * FROM (
  SELECT a.ne, a.did, a.dest_ip, a.dest_port, a.due, a.origin,
    row_number() OVER (PARTITION BY a.ne, a.did ORDER BY a.due DESC, a.frame DESC, a.n DESC) AS k
  FROM asked a WHERE a.op IN ('destination_create', 'destination_change') AND a.did IS NOT NULL AND a.dest_ip IS NOT NULL
) x WHERE x.k = 1

-- table: places
SELECT n.ne, n.id, n.dest_ip, n.dest_port, CAST(NULL AS VARCHAR) AS did, n.product, n.due, n.origin, concat(n.product, ' goes to ') AS what FROM newest n
WHERE n.product <> 'MIRROR' AND n.due > $start AND n.due >= n.last - INTERVAL '2 minutes'
UNION ALL
SELECT l.ne, l.task, l.dest_ip, l.dest_port, l.did, 'told', l.due, l.origin, 'the element was told to deliver to ' FROM latest l
WHERE l.dest_ip IS NOT NULL AND l.k_place = 1
UNION ALL
SELECT d.ne, d.task, h.dest_ip, h.dest_port, h.did, 'told', h.due, h.origin, 'the element was told to deliver to '
FROM dids d JOIN did_homes h ON h.ne = d.ne AND strpos(concat(';', d.did, ';'), concat(';', h.did, ';')) > 0

-- table: registered
SELECT p.*, d.id AS known
FROM places p LEFT JOIN destinations d ON d.address = p.dest_ip AND (d.port IS NULL OR p.dest_port IS NULL OR d.port = p.dest_port)

-- table: allowed
SELECT DISTINCT k."from", k."to", o.value FROM tickets k JOIN tickets_objects o ON o.id = k.id

-- An order that names destinations, all of which the register of destinations has.
-- table: named
SELECT w.order_id, count(*) AS n, count(d.id) AS known FROM warrants_destinations w
  LEFT JOIN (SELECT DISTINCT d.id FROM destinations d) d ON d.id = w.value
GROUP BY w.order_id

-- table: strange
SELECT r.ne, r.id, r.dest_ip, r.dest_port, r.did, r.due, r.origin, r.what, r.product = 'told' AS told,
  'no registered destination' AS why, 1 AS grave
FROM registered r WHERE r.known IS NULL
UNION ALL
SELECT r.ne, r.id, r.dest_ip, r.dest_port, r.did, r.due, min(r.origin) AS origin, r.what, r.product = 'told' AS told,
  'a registered destination that its order does not name' AS why, 2 AS grave
FROM registered r JOIN best b ON b.ne = r.ne AND b.id = r.id JOIN named n ON n.order_id = b.order_id AND n.n = n.known
  LEFT JOIN warrants_destinations w ON w.order_id = b.order_id AND w.value = r.known
WHERE r.known IS NOT NULL AND r.product NOT LIKE 'HI%' AND r.product <> 'CDC'
GROUP BY r.ne, r.id, r.dest_ip, r.dest_port, r.did, r.due, r.what, r.product
HAVING count(w.value) = 0

-- table: redirects
SELECT x.ne, x.id, x.text, x.origin FROM (
  SELECT s.ne, s.id, s.origin,
    concat(s.what, ip_text(s.dest_ip), CASE WHEN s.dest_port IS NULL THEN '' ELSE concat(' port ', s.dest_port) END, ', ', s.why) AS text,
    row_number() OVER (PARTITION BY s.ne, s.id ORDER BY s.grave, s.told DESC, s.due DESC, s.origin) AS k
  FROM strange s
    LEFT JOIN allowed a ON a.value = ip_text(s.dest_ip) AND (a."from" IS NULL OR a."from" <= s.due) AND (a."to" IS NULL OR a."to" >= s.due)
    LEFT JOIN allowed b ON b.value = s.did AND (b."from" IS NULL OR b."from" <= s.due) AND (b."to" IS NULL OR b."to" >= s.due)
  WHERE a.value IS NULL AND b.value IS NULL AND $destinations
) x WHERE x.k = 1

-- Which targets used the network, a while before the moment, so that their product had time to come.
-- table: sessions
SELECT * FROM (
  SELECT g.user_ip, g.imsi, g.msisdn, g.imei, g.nai, CAST(g.op AS VARCHAR) AS op,
    row_number() OVER (PARTITION BY g.user_ip ORDER BY g.due DESC, g.frame DESC, g.n DESC) AS k
  FROM signal g WHERE g.protocol = 'radius' AND g.user_ip IS NOT NULL AND g.due <= $end AND g.op IN ('acct-start', 'acct-interim', 'acct-stop')
) x WHERE x.k = 1 AND x.op <> 'acct-stop'

-- table: hosts
SELECT e.address, sum(e.packets) AS packets FROM (
  SELECT f.src_ip AS address, f.src_packets + f.dst_packets AS packets FROM flow f WHERE f.due > $start AND f.due <= $end - INTERVAL '5 minutes'
  UNION ALL
  SELECT f.dst_ip, f.src_packets + f.dst_packets FROM flow f WHERE f.due > $start AND f.due <= $end - INTERVAL '5 minutes'
) e GROUP BY e.address HAVING sum(e.packets) >= $packets

-- table: busy
SELECT k.target, max(k.packets) AS packets FROM (
  SELECT pseudonym_of_ip(h.address) AS target, h.packets FROM hosts h
  UNION ALL SELECT s.imsi, h.packets FROM hosts h JOIN sessions s ON s.user_ip = h.address WHERE s.imsi IS NOT NULL
  UNION ALL SELECT s.msisdn, h.packets FROM hosts h JOIN sessions s ON s.user_ip = h.address WHERE s.msisdn IS NOT NULL
  UNION ALL SELECT s.imei, h.packets FROM hosts h JOIN sessions s ON s.user_ip = h.address WHERE s.imei IS NOT NULL
  UNION ALL SELECT s.nai, h.packets FROM hosts h JOIN sessions s ON s.user_ip = h.address WHERE s.nai IS NOT NULL
) k GROUP BY k.target

-- table: restarts
SELECT g.ne, max(g.due) AS due FROM mgmt g WHERE g.due <= $end AND g.object IN ('coldStart', 'warmStart') GROUP BY g.ne

-- table: bases
SELECT t.ne, t.task AS id, true AS is_task FROM tasks t
UNION SELECT p.ne, p.id, true FROM placed p
UNION SELECT h.ne, h.id, false FROM handed h WHERE h.alone

-- table: facts
SELECT b.ne, b.id, b.is_task, l.liid, g.target,
  o.order_id, o.standing, o.since, o.until,
  a.runs AS admf_on, a.due AS admf_due, a.origin AS admf_origin,
  e.runs AS element_on, e.due AS element_due, e.origin AS element_origin,
  s.by_admf AS started_by_admf, s.actor AS starter, s.origin AS start_origin, u.due AS begun,
  a.ne IS NOT NULL OR e.ne IS NOT NULL AS set_up, coalesce(CASE WHEN a.due > e.due THEN a.runs END, e.runs, a.runs, false) AND (q.timeout IS NULL OR q.timeout > $end) AS runs,
  CASE WHEN coalesce(CASE WHEN a.due > e.due THEN a.runs END, e.runs, a.runs, false) AND q.timeout <= $end THEN q.timeout ELSE x.due END AS ended,
  p.due AS last, p.origin AS product_origin, concat(p.product, ' to ', ip_text(p.dest_ip), ' port ', p.dest_port) AS stream,
  coalesce(p.due > $start, false) AS flows,
  r.text AS redirect, r.origin AS redirect_origin,
  y.packets, coalesce(w.ne IS NOT NULL OR p.ne IS NOT NULL, false) AS seen_path, coalesce(w.unnamed, false) AS unnamed,
  CASE WHEN e.snmp AND c.due > coalesce(e.due, a.due) AND (p.due IS NULL OR p.due < c.due) THEN c.due END AS restarted,
  d.blind, d.sensors,
  (b.is_task AND h.tasks > 0) OR (g.target IS NOT NULL AND h.targets > 0) OR ((l.liid IS NOT NULL OR NOT b.is_task) AND h.liids > 0) AS comparable
FROM bases b CROSS JOIN dark d CROSS JOIN held h
  LEFT JOIN liids l ON l.ne = b.ne AND l.task = b.id
  LEFT JOIN targets g ON g.ne = b.ne AND g.task = b.id
  LEFT JOIN timeouts q ON q.ne = b.ne AND q.task = b.id
  LEFT JOIN best o ON o.ne = b.ne AND o.id = b.id
  LEFT JOIN of_admf a ON a.ne = b.ne AND a.task = b.id
  LEFT JOIN of_element e ON e.ne = b.ne AND e.task = b.id
  LEFT JOIN started s ON s.ne = b.ne AND s.task = b.id
  LEFT JOIN begun u ON u.ne = b.ne AND u.task = b.id
  LEFT JOIN stopped x ON x.ne = b.ne AND x.task = b.id
  LEFT JOIN newest p ON p.ne = b.ne AND p.id = b.id AND p.k = 1
  LEFT JOIN redirects r ON r.ne = b.ne AND r.id = b.id
  LEFT JOIN busy y ON y.target = g.target
  LEFT JOIN paths w ON w.ne = b.ne
  LEFT JOIN restarts c ON c.ne = b.ne

-- What runs or delivers at the moment; product that drains after its task has ended does neither.
-- table: live
SELECT f.*,
  f.runs AND NOT f.flows AND f.begun <= $start AND f.packets IS NOT NULL AND f.seen_path AND NOT f.unnamed AS silent,
  f.flows AND NOT f.runs AND f.set_up AS over,
  f.runs AND $elements AND f.started_by_admf = false AS stranger,
  coalesce(f.runs AND f.element_on AND f.admf_on = false AND f.element_due > f.admf_due, false) AS revived
FROM facts f
WHERE f.runs OR (f.flows AND (NOT f.set_up OR f.ended IS NULL OR f.ended < f.last - INTERVAL $ended))

-- table: judged
SELECT v.*,
  CASE
    WHEN v.order_id IS NULL AND NOT v.comparable THEN 'unknown'
    WHEN v.order_id IS NULL AND NOT v.runs THEN 'orphaned'
    WHEN v.order_id IS NULL THEN 'unauthorised'
    WHEN v.standing IN ('expired', 'not begun') THEN 'expired'
    WHEN v.standing <> 'in force' THEN 'unauthorised'
    WHEN v.redirect IS NOT NULL THEN 'redirected'
    WHEN v.over OR v.stranger OR v.revived THEN 'orphaned'
    WHEN v.restarted IS NOT NULL THEN 'unknown'
    WHEN v.runs AND NOT v.flows AND v.blind THEN 'unknown'
    WHEN v.silent THEN 'silent'
    WHEN v.runs AND NOT v.flows AND v.packets IS NOT NULL AND NOT v.seen_path THEN 'unknown'
    ELSE 'authorised'
  END AS state
FROM live v

-- table: told
SELECT j.state, j.order_id, j.ne, CASE WHEN j.is_task THEN j.id END AS task, CASE WHEN j.is_task THEN j.liid ELSE j.id END AS liid,
  CASE
    WHEN j.order_id IS NULL AND NOT j.comparable THEN 'not comparable'
    WHEN j.order_id IS NULL THEN 'no order'
    WHEN j.standing = 'not begun' THEN concat('not begun before ', CAST(date_trunc('second', j.since) AS VARCHAR))
    WHEN j.until IS NULL THEN j.standing
    WHEN j.standing = 'in force' THEN concat('in force until ', CAST(date_trunc('second', j.until) AS VARCHAR))
    WHEN j.standing = 'expired' THEN concat('expired at ', CAST(date_trunc('second', j.until) AS VARCHAR))
    ELSE j.standing
  END AS register,
  CASE
    WHEN j.admf_on THEN concat('on, asked at ', CAST(date_trunc('second', j.admf_due) AS VARCHAR))
    WHEN j.admf_on = false THEN concat('ended at ', CAST(date_trunc('second', j.admf_due) AS VARCHAR))
    WHEN NOT $elements THEN 'not known: no table of elements'
    ELSE 'no request seen'
  END AS admf,
  CASE
    WHEN j.element_on AND NOT j.runs THEN concat('ran out at ', CAST(date_trunc('second', j.ended) AS VARCHAR))
    WHEN j.element_on THEN concat('on, as of ', CAST(date_trunc('second', j.element_due) AS VARCHAR))
    WHEN j.element_on = false THEN concat('off, as of ', CAST(date_trunc('second', j.element_due) AS VARCHAR))
    ELSE 'nothing seen of it'
  END AS element,
  CASE
    WHEN j.flows THEN concat(j.stream, ', last at ', CAST(date_trunc('second', j.last) AS VARCHAR))
    WHEN j.last IS NOT NULL THEN concat('none since ', CAST(date_trunc('second', j.last) AS VARCHAR))
    ELSE 'none seen'
  END AS wire,
  concat_ws('; ',
    CASE
      WHEN j.order_id IS NULL AND NOT j.comparable THEN 'the register holds no ids that could be compared with it'
      WHEN j.order_id IS NULL AND NOT j.set_up THEN 'product flows, no such task was set up, and no order covers it'
      WHEN j.order_id IS NULL AND j.over THEN concat('product flows although the task ended at ', CAST(date_trunc('second', j.ended) AS VARCHAR), ', and no order covers it')
      WHEN j.order_id IS NULL THEN 'it runs, and no order in the register covers the task or its target'
      WHEN j.standing = 'expired' THEN 'it goes on after its order has ended'
      WHEN j.standing = 'not begun' THEN 'it is there before its order begins'
      WHEN j.standing = 'without its paperwork' THEN concat('its emergency order still waits for its paperwork after ', $emergency)
      WHEN j.standing <> 'in force' THEN concat('its order is ', j.standing)
      WHEN j.over AND j.redirect IS NULL THEN concat('product flows although the task ended at ', CAST(date_trunc('second', j.ended) AS VARCHAR))
      WHEN j.state = 'unknown' AND j.restarted IS NOT NULL THEN concat('the element restarted at ', CAST(date_trunc('second', j.restarted) AS VARCHAR), ', which taps by SNMP do not survive, and nothing was seen of it since')
      WHEN j.state = 'unknown' AND j.blind THEN concat('no product was seen, but blind was ', j.sensors)
      WHEN j.state = 'unknown' THEN 'its target is active, but no product of that element was ever seen: it may be encrypted or pass where no sensor is'
      WHEN j.state = 'silent' THEN concat('the target exchanged ', j.packets, ' packets and no product was seen for ', $silence)
      WHEN j.state = 'authorised' AND NOT j.set_up THEN 'an order covers it; its task was set up where or when no sensor looked'
      WHEN j.state = 'authorised' AND NOT j.flows THEN concat('no product for ', $silence, ', and nothing says that the target was active')
      WHEN j.state = 'authorised' THEN 'order, task and product agree'
    END,
    CASE WHEN j.revived THEN 'the element runs it although the administration function has ended it' END,
    CASE WHEN j.stranger THEN concat('it was switched on by ', CASE WHEN j.starter = ip('::') THEN 'an unknown address' ELSE ip_text(j.starter) END, ', no administration function or manager of that element') END,
    j.redirect
  ) AS reason,
  concat_ws(', ',
    CASE WHEN (j.runs OR j.flows) AND j.comparable AND coalesce(j.standing, '') <> 'in force' AND j.admf_on THEN 'register/admf' END,
    CASE WHEN j.runs AND j.comparable AND coalesce(j.standing, '') <> 'in force' AND j.element_on THEN 'register/element' END,
    CASE WHEN j.flows AND j.comparable AND (coalesce(j.standing, '') <> 'in force' OR j.redirect IS NOT NULL) THEN 'register/wire' END,
    CASE WHEN (j.stranger AND coalesce(j.admf_on, false) = false) OR j.revived THEN 'admf/element' END,
    CASE WHEN j.flows AND $elements AND j.set_up AND coalesce(j.admf_on, false) = false THEN 'admf/wire' END,
    CASE WHEN (j.flows AND j.over) OR (j.flows AND NOT j.set_up AND j.order_id IS NULL) OR j.silent THEN 'element/wire' END
  ) AS disagree,
  coalesce(j.begun, j.last) AS since,
  concat_ws(', ', j.start_origin,
    CASE WHEN j.admf_origin <> coalesce(j.start_origin, '') THEN j.admf_origin END,
    CASE WHEN j.element_origin <> coalesce(j.start_origin, '') AND j.element_origin <> coalesce(j.admf_origin, '') THEN j.element_origin END,
    j.product_origin,
    CASE WHEN j.redirect_origin <> coalesce(j.product_origin, '') AND j.redirect_origin <> coalesce(j.start_origin, '') THEN j.redirect_origin END
  ) AS evidence
FROM judged j

-- Orders that a tap meets, as the best one or beside it: a renewal, a second agency's.
-- table: met
SELECT t.order_id FROM told t WHERE t.order_id IS NOT NULL
UNION
SELECT o.order_id FROM ordered o JOIN live v ON v.ne = o.ne AND v.id = o.id WHERE o.order_id IS NOT NULL

-- Orders in force of which nothing runs or delivers. Those of tests are switched on for a test only.
-- table: lone
SELECT o.order_id, min(o.since) AS since, max(o.until) AS until FROM orders o
  LEFT JOIN met t ON t.order_id = o.order_id
WHERE o.standing = 'in force' AND NOT o.test AND t.order_id IS NULL
GROUP BY o.order_id

-- table: over
SELECT f.order_id, max(f.ended) AS ended, max(f.ne) AS ne, max(coalesce(f.element_origin, f.admf_origin)) AS origin FROM facts f
WHERE f.order_id IS NOT NULL AND f.set_up AND NOT f.runs GROUP BY f.order_id

-- table: lists
SELECT a.ne, max(a.due) AS due, max(a.origin) AS origin FROM asked a WHERE a.op = 'report' AND a.list_kind = 'tasks' GROUP BY a.ne

-- table: absent
SELECT n.order_id, l.ne, max(l.due) AS due, max(l.origin) AS origin
FROM warrants_elements n JOIN elements e ON e.name = n.value OR e.identifier = n.value JOIN lists l ON l.ne = e.address
GROUP BY n.order_id, l.ne

-- table: missing
SELECT x.* FROM (
  SELECT a.*, row_number() OVER (PARTITION BY a.order_id ORDER BY a.due DESC, token(a.ne)) AS k FROM absent a
) x WHERE x.k = 1

-- table: answer
SELECT t.state, t.reason, t.order_id, t.ne, t.task, t.liid, t.register, t.admf, t.element, t.wire, t.disagree, t.since, t.evidence FROM told t
UNION ALL
SELECT CASE WHEN v.order_id IS NOT NULL OR m.due > l.since THEN 'silent' ELSE 'unknown' END AS state,
  CASE
    WHEN v.order_id IS NOT NULL THEN concat('the order is in force, and its task ended at ', coalesce(CAST(date_trunc('second', v.ended) AS VARCHAR), 'an unknown time'))
    WHEN m.due > l.since THEN concat('the order is in force, and the element''s list of ', CAST(date_trunc('second', m.due) AS VARCHAR), ' does not have it')
    WHEN d.blind THEN concat('the order is in force; nothing was seen of it, but blind was ', d.sensors)
    ELSE 'the order is in force; nothing was seen of it: it was set up before the data begin, or where no sensor looks'
  END AS reason,
  l.order_id, coalesce(v.ne, m.ne) AS ne, arrow_cast(NULL, 'FixedSizeBinary(16)') AS task, arrow_cast(NULL, 'FixedSizeBinary(16)') AS liid,
  CASE WHEN l.until IS NULL THEN 'in force' ELSE concat('in force until ', CAST(date_trunc('second', l.until) AS VARCHAR)) END AS register,
  CASE WHEN v.order_id IS NOT NULL THEN 'ended' ELSE 'no request seen' END AS admf,
  CASE WHEN v.order_id IS NOT NULL THEN 'off' WHEN m.due > l.since THEN 'not in its list' ELSE 'nothing seen of it' END AS element,
  'none seen' AS wire,
  CASE WHEN v.order_id IS NOT NULL OR m.due > l.since THEN 'register/element' ELSE '' END AS disagree,
  CAST(NULL AS TIMESTAMP) AS since, coalesce(v.origin, CASE WHEN m.due > l.since THEN m.origin END, '') AS evidence
FROM lone l CROSS JOIN dark d LEFT JOIN over v ON v.order_id = l.order_id LEFT JOIN missing m ON m.order_id = l.order_id
