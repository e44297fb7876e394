#include "client/cli/evaluate/files.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

absl::Status Missing(absl::string_view what, int64_t missing, size_t all, const std::string& first,
                     const std::string& folder) {
  return base::InvalidArgument(
      "MISSING_PICTURES",
      absl::StrCat(missing, " of ", all, " ", what, " are not below ", Printable(folder), ", the first is ",
                   Printable(first), ". Name the folder that holds them",
                   what == "images" ? ", or add --allow_missing to count them as not found." : "."),
      {{"missing", absl::StrCat(missing)}, {"folder", folder}});
}

absl::Status Ambiguous(absl::string_view one, absl::string_view other, absl::string_view picture) {
  return base::InvalidArgument("AMBIGUOUS_PICTURE",
                               absl::StrCat(Printable(one), " and ", Printable(other), " are both the picture ",
                                            Printable(picture), ". Remove one."));
}

}  // namespace

absl::StatusOr<BenchFiles> FindBenchFiles(const Benchmark& benchmark, const BenchFolders& folders) {
  BenchFiles files;
  const ImageNames names(benchmark);
  ImageFiles images = FindImageFiles({folders.images}, "");
  files.problems = images.problems;
  const auto name_of = [&](const ImageFile& file) { return benchmark.by_stem ? std::string(Stem(file.id)) : file.id; };

  std::map<std::string, std::string> query_files;
  for (const BenchQuery& query : benchmark.queries) query_files.emplace(query.picture, "");
  const std::string& query_folder = folders.queries.empty() ? folders.images : folders.queries;
  const ImageFiles queries = folders.queries.empty() ? images : FindImageFiles({folders.queries}, "");
  for (const ImageFile& file : queries.files) {
    const auto found = query_files.find(name_of(file));
    if (found == query_files.end()) continue;
    if (!found->second.empty()) return Ambiguous(found->second, file.path, found->first);
    found->second = file.path;
  }
  int64_t missing_queries = 0;
  std::string first_query;
  for (const BenchQuery& query : benchmark.queries) {
    files.queries.push_back(query_files[query.picture]);
    if (!files.queries.back().empty()) continue;
    if (missing_queries++ == 0) first_query = query.picture;
  }
  if (missing_queries > 0) {
    return Missing("query pictures", missing_queries, benchmark.queries.size(), first_query, query_folder);
  }

  std::vector<std::string> path_of(benchmark.images.size());
  for (ImageFile& file : images.files) {
    const int32_t image = names.Find(file.id);
    if (image >= 0) {
      std::string& path = path_of[static_cast<size_t>(image)];
      if (!path.empty()) return Ambiguous(path, file.path, benchmark.images[static_cast<size_t>(image)]);
      path = file.path;
    } else if (!benchmark.open || query_files.contains(name_of(file))) {
      continue;  // of no concern to the benchmark, or a query's
    }
    files.database.push_back(std::move(file));
  }
  std::string first_image;
  for (size_t i = 0; i < path_of.size(); ++i) {
    if (path_of[i].empty() && files.missing++ == 0) first_image = benchmark.images[i];
  }
  if (files.missing > 0 && !folders.allow_missing) {
    return Missing("images", files.missing, path_of.size(), first_image, folders.images);
  }
  if (!folders.distractors.empty()) {
    ImageFiles distractors = FindImageFiles({folders.distractors}, std::string(kDistractorPrefix));
    files.distractors = static_cast<int64_t>(distractors.files.size());
    for (ImageFile& file : distractors.files) files.database.push_back(std::move(file));
    files.problems.insert(files.problems.end(), distractors.problems.begin(), distractors.problems.end());
  }
  return files;
}

}  // namespace sightline::cli
