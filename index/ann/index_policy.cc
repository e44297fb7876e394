#include "index/ann/index_policy.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "absl/strings/str_format.h"
#include "index/kernels/int8_code.h"

namespace sightline::index {
namespace {

// Below this an exact search is as good as any: the request around it costs more.
constexpr absl::Duration kLinksWorth = absl::Milliseconds(1);
// What a graph search costs before any was measured.
constexpr double kAssumedLinksNs = 300e3;
constexpr double kNewWeight = 1.0 / 16;
// With every exact search the measure of links counts for a little less: a slow hour is not held against them for ever.
constexpr double kForgottenWeight = 1.0 / 256;
// A comparison of fewer rows says more about its fixed costs.
constexpr int64_t kMinRowsMeasured = 4096;

// Nanoseconds that one byte of codes takes to be read and compared, on one thread: over more than the caches hold.
double MeasureByteCost() {
  constexpr size_t kDim = 1528;
  const kernels::CodeLayout layout(kDim);
  constexpr size_t kRows = 16'384;
  const std::unique_ptr<uint8_t[]> memory(new uint8_t[layout.stride * kRows + kernels::CodeLayout::kAlignment]());
  uint8_t* const rows = memory.get() + kernels::CodeLayout::kAlignment -
                        reinterpret_cast<uintptr_t>(memory.get()) % kernels::CodeLayout::kAlignment;
  const std::vector<float> query(kDim, 1.0F);
  const kernels::Int8Query code(layout, query.data());
  std::vector<float> scores(kRows);
  double best = 1;
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    kernels::Int8Scores(code, rows, kRows, scores.data());
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    best = std::min(best, took.count() / static_cast<double>(layout.stride * kRows));
  }
  return best;
}

double ByteCost() {
  static const double cost = MeasureByteCost();
  return cost;
}

void Observe(std::atomic<double>& average, double value, double weight) {
  // Two threads may each lose the other's share of an average; it stays an average.
  const double before = average.load(std::memory_order_relaxed);
  average.store(before == 0 ? value : before + (value - before) * weight, std::memory_order_relaxed);
}

std::string Shown(absl::Duration duration) { return absl::StrFormat("%.2f ms", absl::ToDoubleMilliseconds(duration)); }

}  // namespace

IndexPolicy::IndexPolicy(IndexKind kind, size_t row_bytes)
    : kind_(kind), assumed_row_ns_(ByteCost() * static_cast<double>(row_bytes)), links_ns_(kAssumedLinksNs) {}

absl::Duration IndexPolicy::ExactCost(int64_t rows) const {
  const double measured = row_ns_.load(std::memory_order_relaxed);
  return absl::Nanoseconds((measured > 0 ? measured : assumed_row_ns_) * static_cast<double>(rows));
}

absl::Duration IndexPolicy::LinksCost() const { return absl::Nanoseconds(links_ns_.load(std::memory_order_relaxed)); }

bool IndexPolicy::WantsLinks(int64_t rows) const {
  switch (kind()) {
    case IndexKind::kExact: return false;
    case IndexKind::kIvf:
    case IndexKind::kHnsw: return rows > 0;
    case IndexKind::kAuto: break;
  }
  // By what is known of the machine, not by the averages: a graph must not come and go with the load.
  return absl::Nanoseconds(assumed_row_ns_ * static_cast<double>(rows)) > kLinksWorth;
}

bool IndexPolicy::UseLinks(int64_t rows) const {
  switch (kind()) {
    case IndexKind::kExact: return false;
    case IndexKind::kIvf:
    case IndexKind::kHnsw: return true;
    case IndexKind::kAuto: break;
  }
  return LinksCost() < ExactCost(rows);
}

void IndexPolicy::ObserveLinks(absl::Duration took) { Observe(links_ns_, absl::ToDoubleNanoseconds(took), kNewWeight); }

void IndexPolicy::ObserveExact(int64_t rows, absl::Duration took) {
  if (rows < kMinRowsMeasured) return;
  Observe(row_ns_, absl::ToDoubleNanoseconds(took) / static_cast<double>(rows), kNewWeight);
  Observe(links_ns_, kAssumedLinksNs, kForgottenWeight);
}

std::string IndexPolicy::Explain(int64_t images, int64_t linked) const {
  const IndexKind kind = this->kind();
  const std::string exact = Shown(ExactCost(images));
  if (kind == IndexKind::kExact) {
    return absl::StrFormat("exact: the collection asks for it; comparing %d images takes about %s", images, exact);
  }
  if (kind == IndexKind::kHnsw) {
    return absl::StrFormat("hnsw: the collection asks for it; %d of %d images are in the graph", linked, images);
  }
  if (kind == IndexKind::kIvf) {
    if (linked > 0)
      return absl::StrFormat("ivf: the collection asks for it; %d of %d images are in lists", linked, images);
    return absl::StrFormat(
        "exact: the collection asks for inverted lists, which are trained when there are more images");
  }
  if (linked == 0) {
    return absl::StrFormat("exact: comparing %d images takes about %s%s", images, exact,
                           WantsLinks(images) ? ", until the graph is built" : ", and a graph is worth it from 1 ms");
  }
  return absl::StrFormat("%s: a search of the graph takes about %s, comparing %d images %s; %d are in the graph",
                         UseLinks(images) ? "hnsw" : "exact", Shown(LinksCost()), images, exact, linked);
}

}  // namespace sightline::index
