#include "client/cli/evaluate/gnd_pickle.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/pickle/plain.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

using base::PickleKind;
using base::PickleTree;
using base::PickleValue;

// A hundred times what the largest published benchmark judges.
constexpr size_t kMostJudged = 10'000'000;

class GndReader {
 public:
  GndReader(const std::string& path, const PickleTree& tree) : path_(path), tree_(tree) {}

  absl::StatusOr<Benchmark> Read(const std::vector<std::pair<std::string, Grade>>& lists) {
    const PickleValue& root = tree_.at(tree_.root);
    Benchmark benchmark{.by_stem = true};
    SIGHTLINE_ASSIGN_OR_RETURN(benchmark.images, Names(root, "imlist"));
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> queries, Names(root, "qimlist"));
    const PickleValue* const gnd = tree_.Find(root, "gnd");
    if (gnd == nullptr || !IsSequence(*gnd)) return Wrong("it has no list \"gnd\"");
    if (gnd->items.size() != queries.size()) {
      return Wrong(absl::StrCat("it has ", queries.size(), " queries and ground truth for ", gnd->items.size()));
    }
    for (size_t q = 0; q < queries.size(); ++q) {
      const PickleValue& entry = tree_.at(gnd->items[q]);
      BenchQuery query{.name = queries[q], .picture = queries[q]};
      SIGHTLINE_RETURN_IF_ERROR(SetBox(entry, &query));
      for (const auto& [list, grade] : lists) {
        SIGHTLINE_RETURN_IF_ERROR(Judge(entry, list, grade, benchmark.images.size(), &query));
      }
      SortJudged(&query.judged);
      benchmark.queries.push_back(std::move(query));
    }
    return benchmark;
  }

 private:
  absl::Status Wrong(absl::string_view problem) const {
    return BadGroundTruth(path_, absl::StrCat(problem,
                                              ". Use the benchmark's own file, or the other protocol of its "
                                              "name (revisited; oxford or paris)."));
  }

  static bool IsSequence(const PickleValue& value) {
    return value.kind == PickleKind::kList || value.kind == PickleKind::kTuple;
  }

  absl::StatusOr<std::vector<std::string>> Names(const PickleValue& root, absl::string_view key) const {
    const PickleValue* const list = tree_.Find(root, key);
    if (list == nullptr || !IsSequence(*list) || list->items.empty()) {
      return Wrong(absl::StrCat("it has no list \"", key, "\""));
    }
    std::vector<std::string> names;
    for (const base::PickleId id : list->items) {
      const PickleValue& name = tree_.at(id);
      if (name.kind != PickleKind::kText || name.text.empty() || Printable(name.text) != name.text) {
        return Wrong(absl::StrCat("entry ", names.size(), " of \"", key, "\" is no name of a picture"));
      }
      names.emplace_back(Stem(name.text));
    }
    return names;
  }

  absl::Status SetBox(const PickleValue& entry, BenchQuery* query) const {
    const PickleValue* const box = tree_.Find(entry, "bbx");
    if (box == nullptr || box->kind == PickleKind::kNone) return absl::OkStatus();
    double edges[4] = {};
    bool whole = IsSequence(*box) && box->items.size() == 4;
    for (size_t i = 0; whole && i < 4; ++i) {
      const PickleValue& edge = tree_.at(box->items[i]);
      whole = edge.kind == PickleKind::kInt || edge.kind == PickleKind::kFloat;
      edges[i] = edge.kind == PickleKind::kInt ? static_cast<double>(edge.integer) : edge.real;
      whole = whole && std::isfinite(edges[i]);
    }
    if (!whole || edges[0] >= edges[2] || edges[1] >= edges[3]) {
      return Wrong(absl::StrCat("the box of ", query->name, " is not four edges of a rectangle"));
    }
    query->box = {edges[0], edges[1], edges[2], edges[3]};
    return absl::OkStatus();
  }

  absl::Status Judge(const PickleValue& entry, const std::string& key, Grade grade, size_t images, BenchQuery* query) {
    const PickleValue* const list = tree_.Find(entry, key);
    if (list == nullptr || !IsSequence(*list)) {
      return Wrong(absl::StrCat("the query ", query->name, " has no list \"", key, "\""));
    }
    // Queries may share one list, so that a small file says as much as a large one.
    judged_ += list->items.size();
    if (judged_ > kMostJudged) {
      return Wrong(absl::StrCat("its lists judge ", judged_, " pictures and more; at most ", kMostJudged, " are read"));
    }
    for (const base::PickleId id : list->items) {
      const PickleValue& index = tree_.at(id);
      if (index.kind != PickleKind::kInt || index.integer < 0 || static_cast<size_t>(index.integer) >= images) {
        return Wrong(absl::StrCat("the list \"", key, "\" of ", query->name, " holds ",
                                  index.kind == PickleKind::kInt ? absl::StrCat(index.integer) : "what is no number",
                                  "; there are ", images, " images"));
      }
      query->judged.push_back({static_cast<int32_t>(index.integer), grade});
    }
    return absl::OkStatus();
  }

  const std::string& path_;
  const PickleTree& tree_;
  size_t judged_ = 0;
};

}  // namespace

absl::StatusOr<Benchmark> ReadGndPickle(const std::string& path,
                                        const std::vector<std::pair<std::string, Grade>>& lists) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, ReadGroundTruth(path));
  const auto tree = base::ReadPlainPickle(bytes, {});
  if (!tree.ok()) return BadGroundTruth(path, tree.status().message());
  return GndReader(path, *tree).Read(lists);
}

}  // namespace sightline::cli
