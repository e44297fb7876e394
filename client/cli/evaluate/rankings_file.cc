#include "client/cli/evaluate/rankings_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/csv.h"
#include "base/status.h"
#include "client/cli/text.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostRank = 1'000'000'000;

struct Entry {
  int64_t rank = 0;
  RankedImage result;
};

class RankingsReader {
 public:
  RankingsReader(const std::string& name, const Benchmark& benchmark)
      : name_(name), benchmark_(benchmark), names_(benchmark), entries_(benchmark.queries.size()) {
    for (size_t q = 0; q < benchmark.queries.size(); ++q) queries_.emplace(benchmark.queries[q].name, q);
  }

  absl::Status ReadTable(absl::string_view text) {
    SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(name_, text));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t query, csv.Column("query"));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t rank, csv.Column("rank"));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t image, csv.Column("image"));
    const std::optional<size_t> score = csv.FindColumn("score");
    while (true) {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
      if (!more) return absl::OkStatus();
      line_ = csv.line();
      SIGHTLINE_ASSIGN_OR_RETURN(const int64_t at, csv.Int(rank, 0, kMostRank));
      double value = 0;
      if (score && !csv[*score].empty()) {
        SIGHTLINE_ASSIGN_OR_RETURN(value, csv.Number(*score, -1e300, 1e300));
      }
      SIGHTLINE_RETURN_IF_ERROR(Add(csv[query], at, csv[image], value));
    }
  }

  absl::Status ReadLines(absl::string_view text) {
    while (!text.empty()) {
      ++line_;
      const size_t end = text.find('\n');
      const absl::string_view line = absl::StripAsciiWhitespace(text.substr(0, end));
      text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
      if (!line.empty()) SIGHTLINE_RETURN_IF_ERROR(ReadObject(line));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<RankingsFile> Finish() {
    RankingsFile file;
    for (size_t q = 0; q < entries_.size(); ++q) {
      std::vector<Entry>& entries = entries_[q];
      std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.rank < b.rank; });
      std::set<absl::string_view> seen;
      std::set<int32_t> images;
      Ranking ranking;
      for (size_t i = 0; i < entries.size(); ++i) {
        const RankedImage& result = entries[i].result;
        const std::string& query = benchmark_.queries[q].name;
        if (i > 0 && entries[i].rank == entries[i - 1].rank) {
          return Refused(absl::StrCat("the query ", query, " has the rank ", entries[i].rank,
                                      " twice. Give each image a rank of its own."));
        }
        if (!seen.insert(result.id).second || (result.image >= 0 && !images.insert(result.image).second)) {
          return Refused(absl::StrCat("the query ", query, " has the image ", base::QuotedPiece(result.id),
                                      " twice. Rank each image once."));
        }
        file.unknown_images += result.image < 0 ? 1 : 0;
      }
      for (Entry& entry : entries) ranking.push_back(std::move(entry.result));
      file.missing += ranking.empty() ? 1 : 0;
      file.rankings.push_back(std::move(ranking));
    }
    return file;
  }

 private:
  absl::Status Refused(absl::string_view problem) const {
    return base::InvalidArgument("INVALID_RANKINGS", absl::StrCat(Printable(name_), ": ", problem), {{"file", name_}});
  }

  absl::Status Wrong(absl::string_view problem) const {
    return base::InvalidArgument("INVALID_RANKINGS", absl::StrCat(Printable(name_), ", line ", line_, ": ", problem),
                                 {{"file", name_}, {"line", absl::StrCat(line_)}});
  }

  absl::Status Add(absl::string_view query, int64_t rank, absl::string_view image, double score) {
    auto found = queries_.find(query);
    if (found == queries_.end() && benchmark_.by_stem) found = queries_.find(Stem(query));
    if (found == queries_.end()) {
      return Wrong(absl::StrCat("the benchmark has no query ", base::QuotedPiece(query),
                                ". Name queries as it does, or choose the benchmark that they are of."));
    }
    if (image.empty() || Printable(image) != image) {
      return Wrong(absl::StrCat("the image ", base::QuotedPiece(image),
                                " is not UTF-8 without control characters. Name an image."));
    }
    entries_[found->second].push_back({rank, {.id = std::string(image), .image = names_.Find(image), .score = score}});
    return absl::OkStatus();
  }

  absl::Status ReadObject(absl::string_view line) {
    google::protobuf::Struct object;
    if (!google::protobuf::util::JsonStringToMessage(std::string(line), &object).ok()) {
      return Wrong(
          "it is no JSON object. Write {\"query\":..,\"images\":[..]} or {\"query\":..,\"rank\":..,\"image\":..}.");
    }
    const auto& fields = object.fields();
    const auto query = fields.find("query");
    if (query == fields.end() || query->second.kind_case() != google::protobuf::Value::kStringValue) {
      return Wrong("it has no text \"query\". Name the query.");
    }
    if (const auto images = fields.find("images"); images != fields.end()) {
      if (images->second.kind_case() != google::protobuf::Value::kListValue) {
        return Wrong("\"images\" is no list. Write the images in their order.");
      }
      int64_t rank = 0;
      for (const auto& image : images->second.list_value().values()) {
        if (image.kind_case() != google::protobuf::Value::kStringValue) {
          return Wrong("\"images\" holds what is no text. Write the names of the images.");
        }
        SIGHTLINE_RETURN_IF_ERROR(Add(query->second.string_value(), ++rank, image.string_value(), 0));
      }
      return absl::OkStatus();
    }
    const auto rank = fields.find("rank");
    const auto image = fields.find("image");
    const double at = rank == fields.end() ? -1 : rank->second.number_value();
    if (rank == fields.end() || rank->second.kind_case() != google::protobuf::Value::kNumberValue ||
        !(at >= 0 && at <= kMostRank) || at != static_cast<double>(static_cast<int64_t>(at)) || image == fields.end() ||
        image->second.kind_case() != google::protobuf::Value::kStringValue) {
      return Wrong("it has no whole number \"rank\" with a text \"image\". Write both, or a list \"images\".");
    }
    const auto score = fields.find("score");
    return Add(query->second.string_value(), static_cast<int64_t>(at), image->second.string_value(),
               score == fields.end() ? 0 : score->second.number_value());
  }

  const std::string& name_;
  const Benchmark& benchmark_;
  const ImageNames names_;
  std::map<std::string, size_t, std::less<>> queries_;
  std::vector<std::vector<Entry>> entries_;
  int64_t line_ = 0;
};

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

absl::StatusOr<RankingsFile> ParseRankings(const std::string& name, absl::string_view text,
                                           const Benchmark& benchmark) {
  RankingsReader reader(name, benchmark);
  const absl::string_view begin = absl::StripLeadingAsciiWhitespace(text);
  SIGHTLINE_RETURN_IF_ERROR(!begin.empty() && begin.front() == '{' ? reader.ReadLines(text) : reader.ReadTable(text));
  return reader.Finish();
}

std::string RankingLines(const std::string& query, const Ranking& ranking) {
  std::string lines;
  for (size_t i = 0; i < ranking.size(); ++i) {
    absl::StrAppendFormat(&lines, "%s,%d,%s,%.6f\n", CsvField(query), i + 1, CsvField(ranking[i].id), ranking[i].score);
  }
  return lines;
}

}  // namespace sightline::cli
