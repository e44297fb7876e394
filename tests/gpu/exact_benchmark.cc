// How fast exact search on a card is, beside how fast the card copies its own memory: one line each for a search alone
// and for 8 at a time, everything included that a segment's search waits for but scoring the best again.
//
//   sightline-gpu-exact-benchmark [ROWS DIM RUNS]    1000000 1536 50 unless given
//
// Ends with 1 when a search does not find the row it was made from. Lines that begin with `figure` are for programs: a
// name, a number and its unit.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status.h"
#include "index/gpu/cuda_status.h"
#include "index/gpu/device_memory.h"
#include "index/gpu/row_device.h"

namespace sightline::index::gpu {
namespace {

constexpr uint32_t kBlockRows = 32'768;
constexpr size_t kTogether = 8;
constexpr size_t kWanted = 44;  // what a search for 10 asks for
constexpr size_t kMostCopied = size_t{2} << 30;
constexpr int kCopies = 10;

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Bytes read and written, a second.
absl::StatusOr<double> CopyBandwidth(size_t bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(const DeviceBuffer<char> from, DeviceBuffer<char>::Allocate(bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const DeviceBuffer<char> to, DeviceBuffer<char>::Allocate(bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const Stream stream, Stream::Create());
  double best = 0;
  for (int i = 0; i < kCopies; ++i) {
    const Clock::time_point begin = Clock::now();
    SIGHTLINE_RETURN_IF_ERROR(
        CudaStatus(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream.get()), "a copy"));
    SIGHTLINE_RETURN_IF_ERROR(stream.Wait("a copy"));
    best = std::max(best, 2 * static_cast<double>(bytes) / Seconds(begin));
  }
  return best;
}

struct Rows {
  std::shared_ptr<const RowView> view;
  std::vector<std::vector<float>> queries;  // the first of each block
};

// The same rows in every block, but for its first one.
absl::StatusOr<Rows> MakeRows(RowDevice& device, uint32_t rows, size_t dim) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dim)));
  std::vector<float> values(size_t{std::min(rows, kBlockRows)} * dim);
  for (float& value : values) value = normal(random);
  Rows made;
  std::vector<std::shared_ptr<const RowBlock>> blocks;
  std::vector<uint64_t> visible((size_t{rows} + kBlockRows - 1) / kBlockRows * kBlockRows / 64);
  for (uint32_t row = 0; row < rows; ++row) visible[row / 64] |= uint64_t{1} << row % 64;
  for (uint32_t begin = 0; begin < rows; begin += kBlockRows) {
    const uint32_t count = std::min(rows - begin, kBlockRows);
    std::generate_n(values.begin(), dim, [&] { return normal(random); });
    made.queries.emplace_back(values.begin(), values.begin() + static_cast<ptrdiff_t>(dim));
    SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<RowBlock> block, device.MakeBlock(dim, count));
    SIGHTLINE_RETURN_IF_ERROR(block->Append(values.data(), count));
    blocks.push_back(std::move(block));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(made.view, device.MakeView(std::move(blocks), kBlockRows, visible));
  return made;
}

absl::Status SearchOnce(const Rows& rows, uint32_t end, size_t which) {
  const size_t block = which % rows.queries.size();
  SIGHTLINE_ASSIGN_OR_RETURN(
      const std::vector<ScoredRow> best,
      rows.view->Best({.values = rows.queries[block].data(), .wanted = kWanted, .end = end, .visible = {}}));
  if (!best.empty() && best.front().row == block * kBlockRows) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInternal, "NOT_FOUND_ITSELF",
                     "a search did not find the row that it was made from. The card's scan is broken.");
}

// Seconds of the median search.
absl::StatusOr<double> Alone(const Rows& rows, uint32_t end, size_t runs) {
  std::vector<double> took;
  for (size_t i = 0; i < runs; ++i) {
    const Clock::time_point begin = Clock::now();
    SIGHTLINE_RETURN_IF_ERROR(SearchOnce(rows, end, i));
    took.push_back(Seconds(begin));
  }
  std::nth_element(took.begin(), took.begin() + static_cast<ptrdiff_t>(runs / 2), took.end());
  return took[runs / 2];
}

// Seconds a search, of so many threads that search without a pause.
absl::StatusOr<double> Together(const Rows& rows, uint32_t end, size_t runs) {
  std::vector<absl::Status> statuses(kTogether);
  std::vector<std::thread> threads;
  const Clock::time_point begin = Clock::now();
  for (size_t thread = 0; thread < kTogether; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = 0; i < runs && statuses[thread].ok(); ++i) statuses[thread] = SearchOnce(rows, end, i + thread);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) SIGHTLINE_RETURN_IF_ERROR(status);
  return Seconds(begin) / static_cast<double>(kTogether * runs);
}

absl::Status Run(uint32_t rows, size_t dim, size_t runs) {
  const double bytes = static_cast<double>(rows) * static_cast<double>((dim + 7) / 8 * 8) * 2;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::shared_ptr<Card> card,
                             OpenCard({.row_bytes = static_cast<int64_t>(bytes), .token_bytes = 0}));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::shared_ptr<RowDevice> device, OpenRows(card));
  SIGHTLINE_ASSIGN_OR_RETURN(const double copy,
                             CopyBandwidth(std::min<size_t>(kMostCopied, static_cast<size_t>(bytes))));
  SIGHTLINE_ASSIGN_OR_RETURN(const Rows made, MakeRows(*device, rows, dim));
  SIGHTLINE_RETURN_IF_ERROR(Alone(made, rows, std::min<size_t>(runs, 5)).status());
  SIGHTLINE_ASSIGN_OR_RETURN(const double alone, Alone(made, rows, runs));
  SIGHTLINE_ASSIGN_OR_RETURN(const double together, Together(made, rows, runs));
  std::printf("%s, %u rows of %zu values in half precision, copies at %.0f GB/s\n", card->name().c_str(), rows, dim,
              copy / 1e9);
  std::printf("one search   %.3f ms, %.0f GB/s, %.0f %% of copying\n", alone * 1e3, bytes / alone / 1e9,
              100 * bytes / alone / copy);
  std::printf("%zu at a time %.3f ms each\n", kTogether, together * 1e3);
  std::printf("figure exact_share %.0f %%\nfigure exact_one %.3f ms\nfigure exact_together %.3f ms\n",
              100 * bytes / alone / copy, alone * 1e3, together * 1e3);
  return absl::OkStatus();
}

}  // namespace
}  // namespace sightline::index::gpu

int main(int argc, char** argv) {
  const auto given = [&](int i, unsigned long fallback) {
    return argc > i ? std::strtoul(argv[i], nullptr, 10) : fallback;
  };
  const absl::Status status =
      sightline::index::gpu::Run(static_cast<uint32_t>(std::clamp(given(1, 1'000'000), 1ul, 1ul << 31)),
                                 std::max(given(2, 1536), 1ul), std::max(given(3, 50), 1ul));
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
