#include "tests/bench/report.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/version.h"
#include "index/kernels/inner_product.h"

namespace sightline::bench {
namespace {

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Row PlainRow(const std::string& bench, const std::string& name, double value, const std::string& unit) {
  Row row;
  row.bench = bench;
  row.name = name;
  row.value = value;
  row.unit = unit;
  return row;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

void PrintMachine(const std::string& bench) {
  nlohmann::ordered_json out;
  out["bench"] = bench;
  out["case"] = "machine";
  out["cpu"] = CpuName();
  out["cores"] = std::thread::hardware_concurrency();
  out["simd"] = index::kernels::LevelName();
  out["sightline"] = base::VersionText();
  out["grpc"] = grpc::Version();
  std::printf("%s\n", out.dump().c_str());
}

void Print(const Row& row) {
  nlohmann::ordered_json out;
  out["bench"] = row.bench;
  out["case"] = row.name;
  out["value"] = row.value;
  out["unit"] = row.unit;
  if (row.peer_value) {
    out["peer"] = row.peer;
    out["peer_value"] = *row.peer_value;
    out["ratio"] = row.higher_is_better ? row.value / *row.peer_value : *row.peer_value / row.value;
  }
  if (row.limit) {
    out["limit"] = *row.limit;
    out["limit_share"] = row.higher_is_better ? row.value / *row.limit : *row.limit / row.value;
  }
  if (row.recall) out["recall"] = *row.recall;
  if (row.recall_at_1) out["recall_at_1"] = *row.recall_at_1;
  if (row.error) out["error"] = *row.error;
  if (row.queries) out["queries"] = *row.queries;
  if (!row.note.empty()) out["note"] = row.note;
  std::printf("%s\n", out.dump().c_str());
  std::fflush(stdout);
}

}  // namespace sightline::bench
