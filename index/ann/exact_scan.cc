#include "index/ann/exact_scan.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "base/parallel.h"
#include "index/ann/scan_candidates.h"
#include "index/kernels/aligned.h"
#include "index/kernels/inner_product.h"
#include "index/kernels/scan_query.h"

namespace sightline::index {
namespace {

// Some 50 microseconds of reading: small beside a scan, so that parts end together, and beside the patience of a caller
// who cancels.
constexpr size_t kChunkBytes = 1 << 20;
// Rows of one kernel call: their scores stay in the first-level cache.
constexpr size_t kRowsAtOnce = 64;
// Rows scored again at once, after the first k.
constexpr size_t kRescoredAtOnce = 16;
// Fewer are not worth another thread.
constexpr size_t kRescoredPerPart = 64;

// How many parts a scan of so many chunks has.
int PartsOf(const ScanRun& run, size_t chunks) {
  return static_cast<int>(std::clamp<size_t>(chunks, 1, static_cast<size_t>(std::max(run.parts, 1))));
}

// Hands chunks out, in ascending order, to whoever is free. Returns false when cancelled.
bool ForEachChunk(const ScanRun& run, size_t chunks, absl::FunctionRef<void(size_t part, size_t chunk)> body) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> stop = false;
  base::ParallelFor(run.pool, PartsOf(run, chunks), [&](int part) {
    const bool asks = part == 0 && run.cancelled;  // part 0 is the calling thread's
    while (!stop.load(std::memory_order_relaxed)) {
      if (asks && run.cancelled()) {
        stop.store(true, std::memory_order_relaxed);
        return;
      }
      const size_t chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks) return;
      body(static_cast<size_t>(part), chunk);
    }
  });
  return !stop.load(std::memory_order_relaxed);
}

// Chunks of a power of two of rows, on its multiples, so that none crosses a chunk of a table.
struct RowChunks {
  RowChunks(size_t row_bytes, uint32_t most, uint32_t first, uint32_t last)
      : size(std::min<uint32_t>(std::bit_floor(static_cast<uint32_t>(std::max<size_t>(kChunkBytes / row_bytes, 1))),
                                most)),
        begin(first),
        end(last),
        count(begin < end ? (end - 1) / size - begin / size + 1 : 0) {}

  uint32_t BeginOf(size_t chunk) const { return std::max(begin, (begin / size + static_cast<uint32_t>(chunk)) * size); }
  uint32_t EndOf(size_t chunk) const {
    return static_cast<uint32_t>(std::min<uint64_t>(end, (uint64_t{begin} / size + chunk + 1) * size));
  }

  uint32_t size;
  uint32_t begin;
  uint32_t end;
  size_t count;
};

// What the parts of one query's scan over codes know.
class CodeScan {
 public:
  CodeScan(const kernels::CodeLayout& layout, const ScanRequest& request, int parts)
      : request_(request), query_(layout, request.query), bar_(request.min_score) {
    for (int part = 0; part < parts; ++part) parts_.emplace_back(request.k, bar_);
  }
  CodeScan(const CodeScan&) = delete;
  CodeScan& operator=(const CodeScan&) = delete;

  const kernels::ScanQuery& query() const { return query_; }

  // `row_of` tells which row the i-th bounds are of.
  template <typename RowOf>
  void Offer(size_t part, const float* upper, const float* lower, size_t count, const RowOf& row_of) {
    if (request_.k == 0) return;
    ScanCandidates& candidates = parts_[part];
    uint32_t at[kRowsAtOnce];
    const size_t found = kernels::NotBelow(upper, count, candidates.Bar(), at);
    for (size_t i = 0; i < found; ++i) {
      // The bar may have risen meanwhile.
      if (upper[at[i]] < candidates.Bar()) continue;
      const uint32_t row = row_of(at[i]);
      if (!request_.visible || request_.visible(row)) candidates.Add(upper[at[i]], lower[at[i]], row);
    }
  }

  void Finish(RowSource& source, const ScanRun& run, ScanResult& result) {
    const std::vector<ScanCandidates::Candidate> candidates =
        ScanCandidates::Merge(absl::MakeSpan(parts_), std::max<size_t>(request_.k, 1), bar_);
    TopK top(request_.k, request_.min_score);
    std::vector<uint32_t> rows;
    std::vector<float> scores;
    size_t batch = request_.k;
    for (size_t begin = 0; begin < candidates.size();) {
      if (run.cancelled && run.cancelled()) {
        result.cancelled = true;
        return;
      }
      rows.clear();
      for (size_t i = begin; i < candidates.size() && rows.size() < batch; ++i) {
        if (candidates[i].upper < top.bar()) break;
        rows.push_back(candidates[i].row);
      }
      if (rows.empty()) break;
      scores.resize(rows.size());
      Score(source, run, rows, scores);
      for (size_t i = 0; i < rows.size(); ++i) top.Add(scores[i], rows[i]);
      begin += rows.size();
      result.rescored += static_cast<int64_t>(rows.size());
      batch = std::max(kRescoredAtOnce, request_.k / 4);
    }
    result.best = std::move(top).Take();
  }

 private:
  void Score(RowSource& source, const ScanRun& run, const std::vector<uint32_t>& rows, std::vector<float>& scores) {
    const size_t parts = static_cast<size_t>(PartsOf(run, rows.size() / kRescoredPerPart));
    base::ParallelFor(run.pool, static_cast<int>(parts), [&](int part) {
      const size_t begin = rows.size() * static_cast<size_t>(part) / parts;
      const size_t end = rows.size() * static_cast<size_t>(part + 1) / parts;
      source.Score(request_.query, absl::MakeConstSpan(rows).subspan(begin, end - begin), scores.data() + begin);
    });
  }

  const ScanRequest& request_;
  const kernels::ScanQuery query_;
  SharedBar bar_;
  std::vector<ScanCandidates> parts_;
};

}  // namespace

std::vector<ScanResult> ScanCodesBlock(const CodeTable& codes, uint32_t begin, uint32_t end,
                                       absl::Span<const ScanRequest> requests, RowSource& source, const ScanRun& run) {
  const RowChunks chunks(codes.layout().stride, codes.chunk_rows(), begin, end);
  const int parts = PartsOf(run, chunks.count);
  std::vector<std::unique_ptr<CodeScan>> scans;
  std::vector<const kernels::ScanQuery*> queries;
  for (const ScanRequest& request : requests) {
    scans.push_back(std::make_unique<CodeScan>(codes.layout(), request, parts));
    queries.push_back(&scans.back()->query());
  }
  const bool completed = ForEachChunk(run, chunks.count, [&](size_t part, size_t chunk) {
    std::vector<float> upper(requests.size() * kRowsAtOnce), lower(requests.size() * kRowsAtOnce);
    for (uint32_t row = chunks.BeginOf(chunk); row < chunks.EndOf(chunk); row += kRowsAtOnce) {
      const size_t count = std::min<size_t>(kRowsAtOnce, chunks.EndOf(chunk) - row);
      kernels::ScanBounds(queries.data(), queries.size(), codes.Row(row), count, upper.data(), lower.data(),
                          kRowsAtOnce);
      for (size_t q = 0; q < scans.size(); ++q) {
        scans[q]->Offer(part, upper.data() + q * kRowsAtOnce, lower.data() + q * kRowsAtOnce, count,
                        [row](uint32_t i) { return row + i; });
      }
    }
  });
  std::vector<ScanResult> results(requests.size());
  for (size_t q = 0; q < scans.size(); ++q) {
    results[q].compared = begin < end ? end - begin : 0;
    results[q].cancelled = !completed;
    if (completed) scans[q]->Finish(source, run, results[q]);
  }
  return results;
}

ScanResult ScanCodes(const CodeTable& codes, uint32_t begin, uint32_t end, const ScanRequest& request,
                     RowSource& source, const ScanRun& run) {
  return std::move(ScanCodesBlock(codes, begin, end, {&request, 1}, source, run).front());
}

ScanResult ScanCodesAt(const CodeTable& codes, absl::Span<const uint32_t> rows, const ScanRequest& request,
                       RowSource& source, const ScanRun& run) {
  const size_t chunk_rows = std::max<size_t>(kChunkBytes / codes.layout().stride, 1);
  const size_t chunks = (rows.size() + chunk_rows - 1) / chunk_rows;
  CodeScan scan(codes.layout(), request, PartsOf(run, chunks));
  ScanResult result;
  result.compared = static_cast<int64_t>(rows.size());
  result.cancelled = !ForEachChunk(run, chunks, [&](size_t part, size_t chunk) {
    const absl::Span<const uint32_t> mine = rows.subspan(chunk * chunk_rows, chunk_rows);
    const uint8_t* at[kRowsAtOnce];
    float upper[kRowsAtOnce];
    float lower[kRowsAtOnce];
    for (size_t begin = 0; begin < mine.size(); begin += kRowsAtOnce) {
      const size_t count = std::min(kRowsAtOnce, mine.size() - begin);
      for (size_t i = 0; i < count; ++i) at[i] = codes.Row(mine[begin + i]);
      kernels::ScanBoundsAt(scan.query(), at, count, upper, lower);
      scan.Offer(part, upper, lower, count, [&](uint32_t i) { return mine[begin + i]; });
    }
  });
  if (!result.cancelled) scan.Finish(source, run, result);
  return result;
}

std::vector<ScanResult> ScanFloatsBlock(const FloatRows& rows, uint32_t begin, uint32_t end,
                                        absl::Span<const ScanRequest> requests, const ScanRun& run) {
  const RowChunks chunks(rows.stride * sizeof(float), std::numeric_limits<uint32_t>::max(), begin, end);
  const int parts = PartsOf(run, chunks.count);
  struct Scan {
    kernels::AlignedVector<float> query;
    SharedBar bar;
    std::vector<TopK> parts;
  };
  std::vector<std::unique_ptr<Scan>> scans;
  std::vector<const float*> queries;
  for (const ScanRequest& request : requests) {
    scans.push_back(std::unique_ptr<Scan>(
        new Scan{{request.query, request.query + rows.dim},
                 SharedBar(request.min_score),
                 std::vector<TopK>(static_cast<size_t>(parts), TopK(request.k, request.min_score))}));
    queries.push_back(scans.back()->query.data());
  }
  const bool completed = ForEachChunk(run, chunks.count, [&](size_t part, size_t chunk) {
    std::vector<float> scores(requests.size() * kRowsAtOnce);
    uint32_t at[kRowsAtOnce];
    for (uint32_t row = chunks.BeginOf(chunk); row < chunks.EndOf(chunk); row += kRowsAtOnce) {
      const size_t count = std::min<size_t>(kRowsAtOnce, chunks.EndOf(chunk) - row);
      kernels::InnerProductsBlock(queries.data(), queries.size(), rows.data + row * rows.stride, rows.dim, rows.stride,
                                  count, scores.data(), kRowsAtOnce);
      for (size_t q = 0; q < scans.size(); ++q) {
        if (requests[q].k == 0) continue;
        const float* mine = scores.data() + q * kRowsAtOnce;
        TopK& top = scans[q]->parts[part];
        const size_t found = kernels::NotBelow(mine, count, scans[q]->bar.Get(), at);
        for (size_t i = 0; i < found; ++i) {
          const float score = mine[at[i]];
          if (!top.Wants(score)) continue;
          if (requests[q].visible && !requests[q].visible(row + at[i])) continue;
          top.Add(score, row + at[i]);
          if (top.full()) scans[q]->bar.Raise(top.bar());
        }
      }
    }
  });
  std::vector<ScanResult> results(requests.size());
  for (size_t q = 0; q < scans.size(); ++q) {
    results[q].compared = begin < end ? end - begin : 0;
    results[q].cancelled = !completed;
    if (!completed) continue;
    TopK best(requests[q].k, requests[q].min_score);
    for (TopK& part : scans[q]->parts) {
      for (const ScoredRow& scored : std::move(part).Take()) best.Add(scored.score, scored.row);
    }
    results[q].best = std::move(best).Take();
  }
  return results;
}

ScanResult ScanFloats(const FloatRows& rows, uint32_t begin, uint32_t end, const ScanRequest& request,
                      const ScanRun& run) {
  return std::move(ScanFloatsBlock(rows, begin, end, {&request, 1}, run).front());
}

}  // namespace sightline::index
