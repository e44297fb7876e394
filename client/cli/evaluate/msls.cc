// Mapillary Street-Level Sequences: a query is found when one of the first k pictures was taken within 25 m. Each city
// is searched for itself; panoramas and queries without a right image do not count.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr double kMetres = 25;

struct Place {
  std::string key;
  double east = 0, north = 0;  // metres
};

// Squares of 25 m: what is within that distance lies in the same or a neighbouring one.
using Square = std::pair<int64_t, int64_t>;
Square SquareOf(const Place& place) {
  return {static_cast<int64_t>(std::floor(place.east / kMetres)),
          static_cast<int64_t>(std::floor(place.north / kMetres))};
}

// Keys of panoramas, from raw.csv.
absl::StatusOr<std::set<std::string>> ReadPanoramas(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t key, csv.Column("key"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t pano, csv.Column("pano"));
  std::set<std::string> panoramas;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return panoramas;
    if (csv[pano] == "True") {
      panoramas.emplace(csv[key]);
    } else if (csv[pano] != "False") {
      return csv.Wrong(pano, "it must be True or False. Use the data set's own file.");
    }
  }
}

absl::StatusOr<std::vector<Place>> ReadPlaces(const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::set<std::string> panoramas, ReadPanoramas(absl::StrCat(folder, "/raw.csv")));
  const std::string path = absl::StrCat(folder, "/postprocessed.csv");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t key, csv.Column("key"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t east, csv.Column("easting"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t north, csv.Column("northing"));
  std::vector<Place> places;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return places;
    if (csv[key].empty() || Printable(csv[key]) != csv[key]) {
      return csv.Wrong(key, "it must name a picture. Use the data set's own file.");
    }
    Place place{.key = std::string(csv[key])};
    SIGHTLINE_ASSIGN_OR_RETURN(place.east, csv.Number(east, -1e8, 1e8));
    SIGHTLINE_ASSIGN_OR_RETURN(place.north, csv.Number(north, -1e8, 1e8));
    if (!panoramas.contains(place.key)) places.push_back(std::move(place));
  }
}

absl::Status AddCity(const std::string& folder, int32_t group, Benchmark* benchmark) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Place> database, ReadPlaces(absl::StrCat(folder, "/database")));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Place> queries, ReadPlaces(absl::StrCat(folder, "/query")));
  const auto first = static_cast<int32_t>(benchmark->images.size());
  std::map<Square, std::vector<int32_t>> squares;
  for (size_t i = 0; i < database.size(); ++i) {
    benchmark->images.push_back(database[i].key);
    benchmark->groups.push_back(group);
    squares[SquareOf(database[i])].push_back(static_cast<int32_t>(i));
  }
  for (const Place& place : queries) {
    BenchQuery query{.name = place.key, .picture = place.key, .group = group};
    const Square square = SquareOf(place);
    for (int64_t x = square.first - 1; x <= square.first + 1; ++x) {
      for (int64_t y = square.second - 1; y <= square.second + 1; ++y) {
        const auto found = squares.find({x, y});
        if (found == squares.end()) continue;
        for (const int32_t i : found->second) {
          const Place& other = database[static_cast<size_t>(i)];
          if (std::hypot(place.east - other.east, place.north - other.north) <= kMetres) {
            query.judged.push_back({first + i, Grade::kEasy});
          }
        }
      }
    }
    SortJudged(&query.judged);
    benchmark->queries.push_back(std::move(query));
  }
  return absl::OkStatus();
}

bool IsCity(const std::string& folder) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(folder, "/database/postprocessed.csv"), error);
}

}  // namespace

absl::StatusOr<Benchmark> ReadMsls(const std::string& path, const ProtocolOptions&) {
  std::vector<std::string> cities;
  if (IsCity(path)) {
    cities.push_back(path);
  } else {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(path));
    for (const std::string& entry : entries) {
      if (IsCity(absl::StrCat(path, "/", entry))) cities.push_back(absl::StrCat(path, "/", entry));
    }
  }
  if (cities.empty()) {
    return BadGroundTruth(path, "it has no database/postprocessed.csv. Name the folder of a city, or one of cities.");
  }
  Benchmark benchmark{.title = "msls", .by_stem = true};
  for (size_t i = 0; i < cities.size(); ++i) {
    SIGHTLINE_RETURN_IF_ERROR(AddCity(cities[i], static_cast<int32_t>(i), &benchmark));
  }
  benchmark.splits = {{.name = "all", .right = static_cast<unsigned>(Grade::kEasy)}};
  for (const int64_t k : {1, 5, 10}) {
    benchmark.measures.push_back({.name = absl::StrCat("R@", k), .of = [k](absl::Span<const int64_t> ranks, int64_t) {
                                    return base::RecallAt(ranks, k);
                                  }});
  }
  // With several cities those of the others stand between: the whole ranking is needed.
  benchmark.depth = cities.size() == 1 ? 10 : 0;
  return benchmark;
}

}  // namespace sightline::cli
