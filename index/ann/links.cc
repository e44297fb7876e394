#include "index/ann/links.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/parallel.h"
#include "base/status.h"
#include "index/ann/ivf.h"

namespace sightline::index {
namespace {

constexpr size_t kDefaultEf = 128;

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
                                          .accept = request.accept,
                                          .cancelled = request.cancelled,
                                          .max_compared = request.max_compared});
    return {std::move(found.best), found.compared, found.cancelled, found.gave_up};
  }

  absl::Status Save(uint32_t rows, absl::FunctionRef<absl::Status(absl::string_view)> sink) const override {
    return graph_->Save(rows, sink);
  }
  uint32_t size() const override { return graph_->size(); }
  int64_t memory_bytes() const override { return graph_->memory_bytes(); }

 private:
  const std::unique_ptr<Graph> graph_;
};

class InvertedLinks : public Links {
 public:
  explicit InvertedLinks(std::unique_ptr<Ivf> lists) : lists_(std::move(lists)) {}

  const char* name() const override { return "ivf"; }

  void Insert(uint32_t begin, uint32_t end, base::ThreadPool* /*pool*/) override { lists_->Insert(begin, end); }

  LinksResult Search(const LinksRequest& request) const override {
    Ivf::Result found = lists_->Search({.query = request.query,
                                        .k = request.k,
                                        .nprobe = request.effort,
                                        .filter = request.filter,
                                        .accept = request.accept,
                                        .cancelled = request.cancelled});
    return {std::move(found.best), found.compared, found.cancelled, false};
  }

  absl::Status Save(uint32_t rows, absl::FunctionRef<absl::Status(absl::string_view)> sink) const override {
    return lists_->Save(rows, sink);
  }
  uint32_t size() const override { return lists_->size(); }
  int64_t memory_bytes() const override { return lists_->memory_bytes(); }

 private:
  const std::unique_ptr<Ivf> lists_;
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

absl::StatusOr<std::unique_ptr<Links>> MakeInvertedLinks(const CodeTable& codes,
                                                         std::shared_ptr<const CoarseQuantizer> quantizer) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> lists, Ivf::Create(codes, std::move(quantizer)));
  return std::make_unique<InvertedLinks>(std::move(lists));
}

absl::StatusOr<std::unique_ptr<Links>> LoadInvertedLinks(const CodeTable& codes,
                                                         std::shared_ptr<const CoarseQuantizer> quantizer,
                                                         absl::string_view bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> lists, Ivf::Load(codes, std::move(quantizer), bytes));
  return std::make_unique<InvertedLinks>(std::move(lists));
}

}  // namespace sightline::index
