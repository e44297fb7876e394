#include "index/duplicates.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/status.h"
#include "index/pair_scores.h"

namespace sightline::index {
namespace {

constexpr int kPage = 100;

// The most that S_struct can be: the whole mass at cosine 1.
constexpr double kMostStructural = 1;

// Joins images to groups, which are named by any one of them.
class Groups {
 public:
  size_t NumberOf(const std::string& id) {
    const auto [it, added] = numbers_.try_emplace(id, ids_.size());
    if (added) {
      ids_.push_back(id);
      parent_.push_back(it->second);
    }
    return it->second;
  }
  const std::string& id(size_t number) const { return ids_[number]; }
  size_t size() const { return ids_.size(); }

  void Join(size_t a, size_t b) { parent_[Root(a)] = Root(b); }
  size_t Root(size_t number) {
    while (parent_[number] != number) number = parent_[number] = parent_[parent_[number]];
    return number;
  }

 private:
  absl::flat_hash_map<std::string, size_t> numbers_;
  std::vector<std::string> ids_;
  std::vector<size_t> parent_;
};

class Finder {
 public:
  Finder(const Collection& collection, const DuplicateOptions& options) : collection_(collection), options_(options) {}

  absl::StatusOr<Duplicates> Run(const Progress& progress) {
    std::string page_token;
    do {
      SIGHTLINE_ASSIGN_OR_RETURN(RecordPage page,
                                 collection_.List(kPage, page_token, RecordView::kVectors, options_.filter));
      for (Record& record : page.records) {
        SIGHTLINE_RETURN_IF_ERROR(LookAt(record));
        places_.emplace(std::move(record.id), result_.images++);
        // Images written meanwhile are not counted beforehand.
        if (!progress(result_.images, std::max(result_.images, collection_.Stats().images))) {
          return absl::CancelledError("the search for duplicates was cancelled");
        }
      }
      page_token = std::move(page.next_page_token);
    } while (!page_token.empty());
    return std::move(*this).Sorted();
  }

 private:
  absl::Status LookAt(const Record& record) {
    SearchQuery query;
    query.descriptor = record.descriptor;
    query.top_k = options_.neighbours + 1;  // itself is among them
    query.filter = options_.filter;
    SIGHTLINE_ASSIGN_OR_RETURN(const SearchOutcome found, collection_.Search(query));
    std::vector<std::string> others;
    std::vector<double> scores;
    for (const Hit& hit : found.hits) {
      if (hit.id == record.id || static_cast<int>(others.size()) == options_.neighbours) continue;
      if (!options_.alike(hit.score, kMostStructural) && !options_.alike(hit.score, std::nullopt)) break;
      if (!compared_.insert(std::minmax(record.id, hit.id)).second) continue;
      others.push_back(hit.id);
      scores.push_back(hit.score);
    }
    if (others.empty()) return absl::OkStatus();
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::optional<double>> structural,
                               StructuralScores(collection_, record, others, options_.transport));
    for (size_t i = 0; i < others.size(); ++i) {
      result_.verified_pairs += structural[i] ? 1 : 0;
      if (!options_.alike(scores[i], structural[i])) continue;
      const size_t a = groups_.NumberOf(record.id);
      const size_t b = groups_.NumberOf(others[i]);
      groups_.Join(a, b);
      pairs_.push_back({a, b, scores[i], structural[i]});
    }
    return absl::OkStatus();
  }

  Duplicates Sorted() && {
    // An image that was not listed (deleted, or written meanwhile) stands last.
    const auto place = [this](size_t number) {
      const auto it = places_.find(groups_.id(number));
      return it == places_.end() ? result_.images : it->second;
    };
    std::vector<size_t> numbers(groups_.size());
    std::iota(numbers.begin(), numbers.end(), size_t{0});
    std::stable_sort(numbers.begin(), numbers.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
    absl::flat_hash_map<size_t, size_t> group_of;  // by root
    for (const size_t number : numbers) {
      const auto [it, added] = group_of.try_emplace(groups_.Root(number), result_.groups.size());
      if (added) result_.groups.emplace_back();
      result_.groups[it->second].ids.push_back(groups_.id(number));
    }
    for (const Joined& pair : pairs_) {
      const bool in_order = place(pair.a) <= place(pair.b);
      result_.groups[group_of[groups_.Root(pair.a)]].pairs.push_back({groups_.id(in_order ? pair.a : pair.b),
                                                                      groups_.id(in_order ? pair.b : pair.a),
                                                                      pair.score, pair.structural});
    }
    std::stable_sort(result_.groups.begin(), result_.groups.end(),
                     [](const auto& a, const auto& b) { return a.ids.size() > b.ids.size(); });
    return std::move(result_);
  }

  struct Joined {
    size_t a, b;
    double score;
    std::optional<double> structural;
  };

  const Collection& collection_;
  const DuplicateOptions& options_;
  Groups groups_;
  std::vector<Joined> pairs_;
  std::set<std::pair<std::string, std::string>> compared_;
  absl::flat_hash_map<std::string, int64_t> places_;  // in the order of writing
  Duplicates result_;
};

}  // namespace

absl::StatusOr<Duplicates> FindDuplicates(const Collection& collection, const DuplicateOptions& options,
                                          const Progress& progress) {
  return Finder(collection, options).Run(progress);
}

}  // namespace sightline::index
