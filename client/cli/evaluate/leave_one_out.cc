#include "client/cli/evaluate/leave_one_out.h"

#include <map>

namespace sightline::cli {

void QueryAll(const std::vector<std::string>& labels, Benchmark* benchmark) {
  std::map<std::string, std::vector<int32_t>> images;
  for (size_t i = 0; i < labels.size(); ++i) images[labels[i]].push_back(static_cast<int32_t>(i));
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto self = static_cast<int32_t>(i);
    BenchQuery query{.name = benchmark->images[i], .picture = benchmark->images[i]};
    for (const int32_t image : images[labels[i]]) {
      if (labels[i].empty() && image != self) continue;
      query.judged.push_back({image, image == self ? Grade::kSelf : Grade::kEasy});
    }
    benchmark->queries.push_back(std::move(query));
  }
}

}  // namespace sightline::cli
