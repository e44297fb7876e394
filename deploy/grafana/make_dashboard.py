#!/usr/bin/env python3
"""Writes the dashboard sightline.json, for Grafana 10 and later, beside this file; `--check` says whether it is up to date.

A dashboard is a long file that differs little from panel to panel. What differs is here; import the JSON, or let Grafana
read this folder (docker/compose.yaml does).
"""

import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("sightline.json")
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
SERVER = 'instance=~"$instance"'
NAMED = SERVER + ',collection=~"$collection"'


def histogram(quantile, metric, by, labels=SERVER):
    return f"histogram_quantile({quantile}, sum by (le, {by}) (rate({metric}_bucket{{{labels}}}[$__rate_interval])))"


def rate(metric, by, labels=SERVER):
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def target(expr, legend="", **more):
    return {"datasource": DATASOURCE, "editorMode": "code", "expr": expr, "legendFormat": legend or "__auto", "range": True, **more}


def panel(title, description, *targets, kind="timeseries", unit="short", width=8, height=8, **defaults):
    options = {
        "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "stat": {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "auto"},
        "heatmap": {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
                    "yAxis": {"unit": "s"}, "tooltip": {"show": True}},
        "table": {"showHeader": True, "cellHeight": "sm"},
    }[kind]
    config = {"unit": unit, "min": 0, **defaults}
    if kind == "timeseries":
        config["custom"] = {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never", "spanNulls": False}
    return {
        "type": kind, "title": title, "description": description, "datasource": DATASOURCE, "options": options,
        "fieldConfig": {"defaults": config, "overrides": []}, "size": (width, height),
        "targets": [{**one, "refId": chr(ord("A") + i)} for i, one in enumerate(targets)],
    }


def steps(*colours):
    """(None, "green"), (0.8, "red"): colours from a value on."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in colours]}


def stat(title, description, expr, unit="short", **defaults):
    return panel(title, description, target(expr, "{{instance}}"), kind="stat", unit=unit, width=4, height=4, **defaults)


LOADED = target(f'sightline_model_loaded{{{SERVER}}} == 1', format="table", instant=True)
LOADED.pop("range")

ROWS = [
    ("At a glance", [
        stat("Serving", "1 while requests are taken; 0 while the server starts or drains.", f"sightline_serving{{{SERVER}}}",
             thresholds=steps((None, "red"), (1, "green"))),
        stat("Requests", "Of all methods, a second.", f"sum by (instance) (rate(sightline_requests_total{{{SERVER}}}[$__rate_interval]))",
             "reqps"),
        stat("Own failures", "Share of requests that end with INTERNAL, UNKNOWN or DATA_LOSS, over five minutes.",
             f"sightline:failures:ratio_rate5m{{{SERVER}}}", "percentunit", thresholds=steps((None, "green"), (0.001, "orange"), (0.01, "red"))),
        stat("Refused", "Share of requests refused because a queue or a budget is full, over five minutes.",
             f"sightline:rejected:ratio_rate5m{{{SERVER}}}", "percentunit", thresholds=steps((None, "green"), (0.01, "orange"), (0.05, "red"))),
        stat("Search p99", "Of searches that were answered, over five minutes.",
             f'sightline:request_duration_seconds:p99_rate5m{{{SERVER},method="SearchService/Search"}}', "s",
             thresholds=steps((None, "green"), (0.5, "orange"), (1, "red"))),
        stat("Up", "Since the last start.", f"sightline_uptime_seconds{{{SERVER}}}", "s"),
    ]),
    ("Traffic and errors", [
        panel("Requests by method", "Answered a second.", target(rate("sightline_requests_total", "method") + " > 0", "{{method}}"), unit="reqps"),
        panel("Requests that were not answered, by code", "INVALID_ARGUMENT and NOT_FOUND are callers' mistakes; INTERNAL, UNKNOWN and DATA_LOSS are the server's.",
              target(rate("sightline_requests_total", "code", SERVER + ',code!="OK"') + " > 0", "{{code}}"), unit="reqps"),
        panel("In hand", "Requests that are being worked on; --max_in_flight is the limit.",
              target(f"sum by (instance) (sightline_requests_in_flight{{{SERVER}}})", "{{instance}}")),
        panel("Images written", "Durably, a second.", target(rate("sightline_indexed_images_total", "instance"), "{{instance}}"), unit="short"),
        panel("Searches by index", "What the searches went through, and how results were refined.",
              target(rate("sightline_searches_total", "index, filtered, refinement") + " > 0", "{{index}} filtered={{filtered}} {{refinement}}"), unit="reqps"),
        panel("Searches re-ranked by patches", "Partial: not all that was asked for, for want of time or tokens.",
              target(rate("sightline_reranked_searches_total", "result"), "{{result}}"), unit="reqps"),
    ]),
    ("Latency", [
        panel("How long requests take", "All methods, answered ones. The darker, the more.",
              target(f'sum by (le) (increase(sightline_request_duration_seconds_bucket{{{SERVER},code="OK"}}[$__rate_interval]))', "{{le}}", format="heatmap"),
              kind="heatmap", unit="short", width=12, height=9),
        panel("Searches", "Of searches that were answered.",
              *[target(histogram(q, "sightline_request_duration_seconds", "instance", SERVER + ',code="OK",method="SearchService/Search"'), f"p{100 * q:g} {{{{instance}}}}")
                for q in (0.5, 0.9, 0.99)], unit="s", width=6, height=9),
        panel("p99 by method", "Over five minutes.", target(f"sightline:request_duration_seconds:p99_rate5m{{{SERVER}}} >= 0", "{{method}}"), unit="s", width=6, height=9),
    ]),
    ("Stages", [
        panel("Where the time goes", "Seconds of each stage in a second: how many requests are in it at once.",
              target(f'sightline:stage_duration_seconds:sum_rate5m{{{SERVER},stage!="total"}}', "{{stage}}"), unit="short", width=12),
        panel("p99 by stage", "Over five minutes.", target(f"sightline:stage_duration_seconds:p99_rate5m{{{SERVER}}} >= 0", "{{stage}}"), unit="s", width=12),
    ]),
    ("Queues, shedding and batches", [
        panel("What waits", "Images and tasks in each queue.", target(f"sightline_queue_depth{{{SERVER}}}", "{{queue}}"), width=6),
        panel("How long it waits", "p99 before decoding, before the model, before searching.",
              target(histogram(0.99, "sightline_stage_duration_seconds", "stage", SERVER + ',stage=~"decode_queue|queue|search_queue"') + " >= 0", "{{stage}}"), unit="s", width=6),
        panel("Refused, by reason", "A second. Which queue or budget was full.",
              target(rate("sightline_rejected_total", "reason") + " > 0", "{{reason}}"), unit="reqps", width=6),
        panel("Images in one batch", "Mean over five minutes; --max_batch is the most.", target(f"sightline:batch_size:mean_rate5m{{{SERVER}}} >= 0", "{{model}}"), width=6),
        panel("Models at work", "Seconds in a second, and how much of it was for requests that were dead when their batch ended.",
              target(rate("sightline_model_seconds_total", "instance"), "at work {{instance}}"),
              target(rate("sightline_wasted_model_seconds_total", "instance"), "for nobody {{instance}}"), width=12),
        panel("Memory of images being decoded", "As --decode_memory counts it; beyond it images wait.",
              target(f"sightline_decode_memory_bytes{{{SERVER}}}", "{{instance}}"), unit="bytes", width=12),
    ]),
    ("Collections", [
        panel("Requests by collection", "Those beyond --metrics_collections share `_other`.",
              target(rate("sightline_collection_requests_total", "collection", NAMED), "{{collection}}"), unit="reqps"),
        panel("p99 by collection", "All requests about it.",
              target(histogram(0.99, "sightline_collection_stage_duration_seconds", "collection", NAMED + ',stage="total"') + " >= 0", "{{collection}}"), unit="s"),
        panel("Stages of the collection", "Seconds of each stage in a second.",
              target(rate("sightline_collection_stage_duration_seconds_sum", "stage", NAMED + ',stage!="total"'), "{{stage}}")),
        panel("Images", "That a search can find.", target(f"sightline_collection_images{{{NAMED}}}", "{{collection}}")),
        panel("Background work", "Images not sealed yet, not in a graph yet, and deleted ones whose space is not reclaimed.",
              target(f"sum by (instance) (sightline_collection_tail_images{{{NAMED}}})", "in the tail"),
              target(f"sum by (instance) (sightline_collection_graph_backlog{{{NAMED}}})", "not in a graph"),
              target(f"sum by (instance) (sightline_collection_deleted_images{{{NAMED}}})", "deleted"),
              target(f"sum by (instance) (sightline_collection_segments{{{NAMED}}})", "segments")),
        panel("Read-only and damaged", "1 while a collection takes no writes; how many could not be opened.",
              target(f"sightline_collection_read_only{{{NAMED}}}", "read-only: {{collection}}"),
              target(f"sightline_damaged_collections{{{SERVER}}}", "damaged on {{instance}}")),
    ]),
    ("Memory, disk and the process", [
        panel("Memory", "Of the process, and of the collections as the budget counts them.",
              target(f"process_resident_memory_bytes{{{SERVER}}}", "process"),
              target(f"sightline_memory_bytes{{{SERVER}}}", "collections"),
              target(f"sightline_memory_budget_bytes{{{SERVER}}} > 0", "budget"), unit="bytes", width=6),
        panel("Bytes by layer", "Memory of the collections.",
              target(f'sum by (layer) (sightline_collection_bytes{{{NAMED},place="memory"}})', "{{layer}}"), unit="bytes", width=6),
        panel("Disk", "Of the file system under --data_dir, and what the collections take.",
              target(f"sightline_disk_free_bytes{{{SERVER}}}", "free"),
              target(f'sum by (instance) (sightline_collection_bytes{{{SERVER},place="disk"}})', "collections"), unit="bytes", width=6),
        panel("Processor", "Cores in use.", target(f"rate(process_cpu_seconds_total{{{SERVER}}}[$__rate_interval])", "{{instance}}"), width=6),
        panel("Threads and files", "Of the process.", target(f"process_threads{{{SERVER}}}", "threads"), target(f"process_open_fds{{{SERVER}}}", "open files"), width=8),
        panel("Slow requests and lines left out", "A second. Lines that the log did not take because too many came.",
              target(rate("sightline_slow_requests_total", "instance"), "slow requests"),
              target(rate("sightline_dropped_log_lines_total", "line"), "left out: {{line}}"),
              target(rate("sightline_ignored_headers_total", "header"), "not sane: {{header}}"), unit="reqps", width=8),
        panel("Operations", "Long work, by state.", target(f"sightline_operations{{{SERVER}}}", "{{state}}"), width=8),
    ]),
    ("Callers", [
        panel("Refused callers", "A second, by what was wrong with the key.",
              target(rate("sightline_auth_failures_total", "reason"), "{{reason}}"), unit="reqps"),
        panel("Decoder processes replaced", "Images that crashed their codec or kept it busy for too long.",
              target(f"sum by (reason) (increase(sightline_decoder_restarts_total{{{SERVER}}}[$__rate_interval]))", "{{reason}}")),
        panel("Audit log", "Lines a second, by what became of them.",
              target(rate("sightline_audit_lines_total", "result"), "{{result}}")),
    ]),
    ("Models", [
        panel("Loaded", "`untrained` is true for one without trained weights.", LOADED, kind="table", width=8),
        panel("Loads", "Refused ones leave the model that serves.", target(f"sum by (result) (increase(sightline_model_loads_total{{{SERVER}}}[$__rate_interval]))", "{{result}}")),
        panel("Time to load and warm up", "Of the last load.",
              target(f"sightline_model_load_seconds{{{SERVER}}}", "load {{model}}"),
              target(f"sightline_model_warm_up_seconds{{{SERVER}}}", "warm up {{model}}"), unit="s"),
    ]),
]


def variable(name, label, query):
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query,
        "query": {"query": query, "refId": "variable"}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "hide": 0, "options": [], "regex": "", "skipUrlSync": False,
    }


def place(panels, y):
    """Left to right, a new line where one is full. Returns the next free line."""
    x = tallest = 0
    for one in panels:
        width, height = one.pop("size")
        if x + width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        one["gridPos"] = {"x": x, "y": y, "w": width, "h": height}
        x, tallest = x + width, max(tallest, height)
    return y + tallest


def dashboard():
    panels, y = [], 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        y = place(row, y + 1)
        panels += row
    for number, one in enumerate(panels, 1):
        one["id"] = number
    return {
        "uid": "sightline", "title": "Sightline", "tags": ["sightline"], "schemaVersion": 38, "version": 1, "editable": True, "graphTooltip": 1,
        "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "", "links": [], "annotations": {"list": []},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0, "multi": False,
             "includeAll": False, "current": {}, "options": [], "regex": "", "skipUrlSync": False},
            variable("instance", "Server", "label_values(sightline_serving, instance)"),
            variable("collection", "Collection", 'label_values(sightline_collection_images{instance=~"$instance"}, collection)'),
        ]},
        "panels": panels,
    }


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(f"make_dashboard.py: '{' '.join(arguments)}' is not known. Use --check, or nothing.", file=sys.stderr)
        return 2
    text = json.dumps(dashboard(), indent=2) + "\n"
    if not arguments:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print(f"{FILE.name} is not what make_dashboard.py writes. Run deploy/grafana/make_dashboard.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
