#include "index/pair_scores.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/transport.h"

namespace sightline::index {
namespace {

constexpr int kLabelPage = 1'000;

absl::Status CancelledFit() { return absl::CancelledError("the fit of the confidence was cancelled"); }

double Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  double dot = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    squares_a += static_cast<double>(a[i]) * a[i];
    squares_b += static_cast<double>(b[i]) * b[i];
  }
  return dot / std::sqrt(squares_a * squares_b);
}

struct Labelled {
  std::string id;
  AttributeValue label;
};

// In quotes: the key may be a word of the filter's own.
std::string HasAttribute(const std::string& key) { return absl::StrCat("EXISTS \"", key, "\""); }

absl::StatusOr<std::vector<Labelled>> ReadLabels(const Collection& collection, const std::string& attribute) {
  std::vector<Labelled> labelled;
  std::string page_token;
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(RecordPage page,
                               collection.List(kLabelPage, page_token, RecordView::kMetadata, HasAttribute(attribute)));
    for (Record& record : page.records) {
      const auto it = record.attributes.find(attribute);
      if (it != record.attributes.end()) labelled.push_back({std::move(record.id), std::move(it->second)});
    }
    page_token = std::move(page.next_page_token);
  } while (!page_token.empty());
  return labelled;
}

}  // namespace

absl::StatusOr<std::vector<std::optional<double>>> StructuralScores(const Collection& collection, const Record& record,
                                                                    absl::Span<const std::string> others,
                                                                    const rerank::TransportOptions& transport) {
  std::vector<std::optional<double>> scores(others.size());
  if (!record.tokens) return scores;
  SIGHTLINE_ASSIGN_OR_RETURN(const auto tokens, collection.ReadTokens(others));
  std::vector<rerank::Patches> patches;
  std::vector<size_t> places;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i]) continue;
    patches.push_back({&*tokens[i]});
    places.push_back(i);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const rerank::TransportQuery query,
                             rerank::TransportQuery::Make({&*record.tokens}, transport));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<rerank::TransportScore> scored, query.Score(patches));
  for (size_t i = 0; i < scored.size(); ++i) scores[places[i]] = scored[i].structural;
  return scores;
}

absl::StatusOr<std::vector<rerank::LabelledPair>> ScorePairs(const Collection& collection, std::vector<IdPair> pairs,
                                                             const rerank::TransportOptions& transport,
                                                             const Progress& progress) {
  // All pairs of one image together: it is read and packed once.
  std::stable_sort(pairs.begin(), pairs.end(), [](const IdPair& a, const IdPair& b) { return a.first < b.first; });
  std::vector<rerank::LabelledPair> scored;
  for (auto begin = pairs.begin(); begin != pairs.end();) {
    const auto end = std::find_if(begin, pairs.end(), [&](const IdPair& pair) { return pair.first != begin->first; });
    SIGHTLINE_ASSIGN_OR_RETURN(const Record record, collection.Get(begin->first, RecordView::kVectors));
    std::vector<std::string> others;
    for (auto it = begin; it != end; ++it) {
      SIGHTLINE_ASSIGN_OR_RETURN(const Record other, collection.Get(it->second, RecordView::kVectors));
      scored.push_back({Cosine(record.descriptor, other.descriptor), std::nullopt, it->same});
      others.push_back(it->second);
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const auto structural, StructuralScores(collection, record, others, transport));
    const size_t base = scored.size() - structural.size();
    for (size_t i = 0; i < structural.size(); ++i) scored[base + i].structural = structural[i];
    begin = end;
    if (!progress(static_cast<int64_t>(scored.size()), static_cast<int64_t>(pairs.size()))) return CancelledFit();
  }
  return scored;
}

absl::StatusOr<std::vector<IdPair>> DrawPairs(const Collection& collection, const std::string& label_attribute,
                                              const DrawOptions& options, const Progress& progress) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Labelled> labelled, ReadLabels(collection, label_attribute));
  absl::flat_hash_map<std::string, const AttributeValue*> label_of;
  for (const Labelled& image : labelled) label_of.emplace(image.id, &image.label);
  const size_t asked = std::min(labelled.size(), static_cast<size_t>(options.images));
  std::vector<IdPair> pairs;
  std::set<std::pair<std::string, std::string>> drawn;
  for (size_t i = 0; i < asked; ++i) {
    const Labelled& image = labelled[i * labelled.size() / asked];
    const absl::StatusOr<Record> record = collection.Get(image.id, RecordView::kVectors);
    if (absl::IsNotFound(record.status())) continue;  // deleted meanwhile
    SIGHTLINE_RETURN_IF_ERROR(record.status());
    SearchQuery query;
    query.descriptor = record->descriptor;
    query.top_k = options.neighbours + 1;
    query.filter = HasAttribute(label_attribute);
    SIGHTLINE_ASSIGN_OR_RETURN(const SearchOutcome found, collection.Search(query));
    for (const Hit& hit : found.hits) {
      const auto other = label_of.find(hit.id);
      if (hit.id == image.id || other == label_of.end()) continue;
      if (!drawn.insert(std::minmax(image.id, hit.id)).second) continue;
      pairs.push_back({image.id, hit.id, *other->second == image.label});
    }
    if (!progress(static_cast<int64_t>(i + 1), static_cast<int64_t>(asked))) return CancelledFit();
  }
  return pairs;
}

}  // namespace sightline::index
