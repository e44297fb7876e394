#include "index/ann/links.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>

#include "base/parallel.h"
#include "base/status.h"
#include "index/ann/ivf.h"
#include "index/ann/pq_codes.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr size_t kDefaultEf = 128;

// The scores of int8 codes are off by less than what separates most neighbours, so little more than k has to be read in
// full precision; product codes are coarser (measured: docs/performance.md).
constexpr size_t kCandidatesPerResult = 2;
constexpr size_t kMoreCandidates = 16;
constexpr size_t kProductCandidatesPerResult = 4;
constexpr size_t kMinProductCandidates = 200;

class GraphLinks : public Links {
 public:
  explicit GraphLinks(std::unique_ptr<Graph> graph) : graph_(std::move(graph)) {}

  const char* name() const override { return "hnsw"; }

  void Insert(uint32_t begin, uint32_t end, base::ThreadPool* pool) override {
    std::atomic<uint32_t> next = begin;
    base::ParallelFor(pool, pool == nullptr ? 1 : pool->threads(), [&](int /*part*/) {
      for (uint32_t row = next.fetch_add(1); row < end; row = next.fetch_add(1)) graph_->Insert(row);
    });
  }

  LinksResult Search(const LinksRequest& request) const override {
    Graph::Result found = graph_->Search({.query = request.query,
                                          .k = request.k,
                                          .ef = std::max(request.effort > 0 ? request.effort : kDefaultEf, request.k),
                                          .filter = request.filter,
                                          .filter_width = request.filter_width,
                                          .accept = request.accept,
                                          .cancelled = request.cancelled,
                                          .max_compared = request.max_compared});
    return {std::move(found.best), found.compared, found.cancelled, found.gave_up};
  }

  size_t default_effort() const override { return kDefaultEf; }
  size_t CandidatesFor(size_t k) const override { return std::max(k * kCandidatesPerResult, k + kMoreCandidates); }
  bool scores_by_codes() const override { return true; }

  absl::Status Save(uint32_t rows, absl::FunctionRef<absl::Status(absl::string_view)> sink) const override {
    return graph_->Save(rows, sink);
  }
  uint32_t size() const override { return graph_->size(); }
  int64_t memory_bytes() const override { return graph_->memory_bytes(); }

 private:
  const std::unique_ptr<Graph> graph_;
};

// The bytes of inverted lists: the size of the lists (8 bytes), the lists (ivf.cc), and with product codes those of
// every row, one after the other.
class InvertedLinks : public Links {
 public:
  InvertedLinks(const CodeTable& codes, std::unique_ptr<Ivf> lists,
                const std::shared_ptr<const ProductQuantizer>& product)
      : codes_(codes), lists_(std::move(lists)) {
    if (product != nullptr) product_ = std::make_unique<PqCodes>(product, codes.chunk_rows(), codes.max_rows());
  }

  const char* name() const override { return "ivf"; }

  void Insert(uint32_t begin, uint32_t end, base::ThreadPool* /*pool*/) override {
    if (product_ != nullptr) {
      std::vector<float> values(codes_.layout().dim);
      for (uint32_t row = begin; row < end; ++row) {
        // The int8 code stands for the descriptor: what it is off by is nothing beside what a product code is.
        kernels::DecodeRow(codes_.layout(), codes_.Row(row), values.data());
        product_->Set(row, values.data());
      }
    }
    lists_->Insert(begin, end);
  }

  LinksResult Search(const LinksRequest& request) const override {
    std::vector<float> table;
    std::function<void(absl::Span<const uint32_t>, float*)> scores;
    if (product_ != nullptr) {
      table = product_->quantizer().Table(request.vector);
      scores = [&](absl::Span<const uint32_t> rows, float* out) { product_->Scores(table.data(), rows, out); };
    }
    Ivf::Result found = lists_->Search({.query = request.query,
                                        .k = request.k,
                                        .nprobe = request.effort,
                                        .filter = request.filter,
                                        .accept = request.accept,
                                        .cancelled = request.cancelled,
                                        .scores = product_ == nullptr ? nullptr : &scores});
    return {std::move(found.best), found.compared, found.cancelled, false};
  }

  size_t default_effort() const override { return CoarseQuantizer::DefaultNprobe(lists_->quantizer().lists()); }
  bool scores_by_codes() const override { return product_ == nullptr; }
  size_t CandidatesFor(size_t k) const override {
    if (product_ != nullptr) return std::max(k * kProductCandidatesPerResult, kMinProductCandidates);
    return std::max(k * kCandidatesPerResult, k + kMoreCandidates);
  }

  absl::Status Save(uint32_t rows, absl::FunctionRef<absl::Status(absl::string_view)> sink) const override {
    std::string lists;
    SIGHTLINE_RETURN_IF_ERROR(lists_->Save(rows, [&lists](absl::string_view bytes) {
      lists.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    }));
    const uint64_t size = lists.size();
    SIGHTLINE_RETURN_IF_ERROR(sink({reinterpret_cast<const char*>(&size), sizeof(size)}));
    SIGHTLINE_RETURN_IF_ERROR(sink(lists));
    if (product_ == nullptr) return absl::OkStatus();
    for (uint32_t row = 0; row < rows; row += codes_.chunk_rows()) {
      const size_t count = std::min(rows - row, codes_.chunk_rows());
      SIGHTLINE_RETURN_IF_ERROR(sink({reinterpret_cast<const char*>(product_->Row(row)), count * CodeBytes()}));
    }
    return absl::OkStatus();
  }

  // What Save wrote after the lists.
  absl::Status LoadProductCodes(absl::string_view bytes) {
    const size_t wanted = product_ == nullptr ? 0 : lists_->size() * CodeBytes();
    if (bytes.size() != wanted) return DamagedError("inverted lists", "their product codes have the wrong size");
    for (uint32_t row = 0; row < lists_->size() && wanted > 0; ++row) {
      std::memcpy(product_->MutableRow(row), bytes.data() + row * CodeBytes(), CodeBytes());
    }
    return absl::OkStatus();
  }

  uint32_t size() const override { return lists_->size(); }
  int64_t memory_bytes() const override {
    return lists_->memory_bytes() + (product_ == nullptr ? 0 : product_->memory_bytes());
  }

 private:
  size_t CodeBytes() const { return product_->quantizer().code_bytes(); }

  const CodeTable& codes_;
  const std::unique_ptr<Ivf> lists_;
  std::unique_ptr<PqCodes> product_;  // null: searches go by the int8 codes
};

}  // namespace

std::unique_ptr<Links> MakeGraphLinks(const CodeTable& codes, const Graph::Options& options) {
  return std::make_unique<GraphLinks>(std::make_unique<Graph>(codes, options));
}

absl::StatusOr<std::unique_ptr<Links>> LoadGraphLinks(const CodeTable& codes, const Graph::Options& options,
                                                      absl::string_view bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Graph> graph, Graph::Load(codes, options, bytes));
  return std::make_unique<GraphLinks>(std::move(graph));
}

absl::StatusOr<std::unique_ptr<Links>> MakeInvertedLinks(const CodeTable& codes, const Quantizers& quantizers) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> lists, Ivf::Create(codes, quantizers.coarse));
  return std::make_unique<InvertedLinks>(codes, std::move(lists), quantizers.product);
}

absl::StatusOr<std::unique_ptr<Links>> LoadInvertedLinks(const CodeTable& codes, const Quantizers& quantizers,
                                                         absl::string_view bytes) {
  uint64_t size = 0;
  if (bytes.size() < sizeof(size)) return DamagedError("inverted lists", "they end too soon");
  std::memcpy(&size, bytes.data(), sizeof(size));
  bytes.remove_prefix(sizeof(size));
  if (size > bytes.size()) return DamagedError("inverted lists", "they end too soon");
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> lists, Ivf::Load(codes, quantizers.coarse, bytes.substr(0, size)));
  auto links = std::make_unique<InvertedLinks>(codes, std::move(lists), quantizers.product);
  SIGHTLINE_RETURN_IF_ERROR(links->LoadProductCodes(bytes.substr(size)));
  return links;
}

}  // namespace sightline::index
