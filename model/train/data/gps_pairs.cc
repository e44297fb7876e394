#include "model/train/data/gps_pairs.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr double kEarthRadius = 6'371'008.8;  // metres, the mean
constexpr double kMetresPerDegree = kEarthRadius * std::numbers::pi / 180;

double Radians(double degrees) { return degrees * std::numbers::pi / 180; }

// A grid over one label's photographs, with cells in which a distance of `reach` leads at most to the next one.
class Grid {
 public:
  Grid(const Dataset& dataset, const std::vector<int64_t>& photos, double reach) : reach_(reach) {
    double farthest = 0;  // from the equator, where a degree of longitude is shortest
    for (const int64_t photo : photos) {
      farthest = std::max(farthest, std::abs(dataset.photos[static_cast<size_t>(photo)].position->latitude));
    }
    // A cell farther, for the neighbours of the farthest; round a pole every longitude is near every other, and the
    // cosine of 90 degrees leaves one column.
    const double shrink = std::cos(Radians(std::min(farthest + reach / kMetresPerDegree, 90.0)));
    rows_per_degree_ = kMetresPerDegree / reach;
    columns_per_degree_ = kMetresPerDegree * shrink / reach;
    columns_ = std::max<int64_t>(1, static_cast<int64_t>(std::floor(360 * columns_per_degree_)));
    columns_per_degree_ = static_cast<double>(columns_) / 360;
    for (const int64_t photo : photos) {
      cells_[CellOf(*dataset.photos[static_cast<size_t>(photo)].position)].push_back(photo);
    }
  }

  // Those within `reach`, ascending.
  std::vector<int64_t> Near(const Dataset& dataset, const Position& position) const {
    const auto [row, column] = CellOf(position);
    std::vector<int64_t> near;
    // Columns go round at the antimeridian; with fewer than three of them neighbours would be met twice.
    std::set<int64_t> around;
    for (const int64_t step : {-1, 0, 1}) around.insert((column + step + columns_) % columns_);
    for (const int64_t c : around) {
      for (int64_t r = row - 1; r <= row + 1; ++r) {
        const auto cell = cells_.find(std::pair(r, c));
        if (cell == cells_.end()) continue;
        for (const int64_t photo : cell->second) {
          if (Metres(*dataset.photos[static_cast<size_t>(photo)].position, position) <= reach_) near.push_back(photo);
        }
      }
    }
    std::sort(near.begin(), near.end());
    return near;
  }

 private:
  std::pair<int64_t, int64_t> CellOf(const Position& position) const {
    const auto column = static_cast<int64_t>(std::floor((position.longitude + 180) * columns_per_degree_));
    return {static_cast<int64_t>(std::floor(position.latitude * rows_per_degree_)), column % columns_};
  }

  const double reach_;
  double rows_per_degree_ = 0;
  double columns_per_degree_ = 0;
  int64_t columns_ = 1;
  absl::flat_hash_map<std::pair<int64_t, int64_t>, std::vector<int64_t>> cells_;
};

}  // namespace

double Metres(const Position& a, const Position& b) {
  const double latitude = std::sin(Radians(b.latitude - a.latitude) / 2);
  const double longitude = std::sin(Radians(b.longitude - a.longitude) / 2);
  const double h =
      latitude * latitude + std::cos(Radians(a.latitude)) * std::cos(Radians(b.latitude)) * longitude * longitude;
  return 2 * kEarthRadius * std::asin(std::sqrt(std::min(h, 1.0)));
}

absl::StatusOr<GpsPairs> FindGpsPairs(const Dataset& dataset, double positive_metres, double negative_metres) {
  if (!(positive_metres >= 0 && negative_metres >= positive_metres && std::isfinite(negative_metres))) {
    return base::InvalidArgument("DISTANCES_INVALID",
                                 absl::StrCat("positives are within ", positive_metres, " m and negatives beyond ",
                                              negative_metres, " m. Let 0 <= positive_metres <= negative_metres."));
  }
  GpsPairs pairs;
  pairs.negative_metres = negative_metres;
  pairs.database.resize(dataset.classes.size());
  for (size_t i = 0; i < dataset.photos.size(); ++i) {
    const Photo& photo = dataset.photos[i];
    if (!photo.position) {
      return base::InvalidArgument("POSITION_MISSING",
                                   absl::StrCat(photo.path,
                                                " has no position. Give latitude and longitude, or train with "
                                                "another loss."),
                                   {{"path", photo.path}});
    }
    if (!photo.query) pairs.database[static_cast<size_t>(photo.label)].push_back(static_cast<int64_t>(i));
  }
  // Cells of a metre at least, so that their number fits.
  const double reach = std::max(positive_metres, 1.0);
  std::vector<Grid> grids;
  for (const std::vector<int64_t>& photos : pairs.database) grids.emplace_back(dataset, photos, reach);
  for (size_t i = 0; i < dataset.photos.size(); ++i) {
    const Photo& photo = dataset.photos[i];
    if (!photo.query) continue;
    GpsPairs::Query query{.photo = static_cast<int64_t>(i),
                          .positives = grids[static_cast<size_t>(photo.label)].Near(dataset, *photo.position)};
    std::erase_if(query.positives, [&](int64_t other) {
      return Metres(*dataset.photos[static_cast<size_t>(other)].position, *photo.position) > positive_metres;
    });
    if (!query.positives.empty()) pairs.queries.push_back(std::move(query));
  }
  if (pairs.queries.empty()) {
    return base::InvalidArgument(
        "NO_GPS_PAIRS", absl::StrCat("no query of ", dataset.photos.size(),
                                     " photographs has a database photograph of its label within ", positive_metres,
                                     " m. Raise positive_metres or give more photographs."));
  }
  return pairs;
}

bool IsGpsNegative(const Dataset& dataset, const GpsPairs& pairs, int64_t query, int64_t photo) {
  const Photo& a = dataset.photos[static_cast<size_t>(query)];
  const Photo& b = dataset.photos[static_cast<size_t>(photo)];
  return !b.query && a.label == b.label && Metres(*a.position, *b.position) > pairs.negative_metres;
}

std::vector<int64_t> DrawNegatives(const Dataset& dataset, const GpsPairs& pairs, const GpsPairs::Query& query,
                                   int count, scene::Random& random) {
  const auto label = static_cast<size_t>(dataset.photos[static_cast<size_t>(query.photo)].label);
  const std::vector<int64_t>& photos = pairs.database[label];
  std::vector<int64_t> negatives;
  // The start of a random permutation of the label's photographs (Fisher and Yates), of which only what was swapped is
  // kept: nearly all of a city are negatives, so few are looked at.
  absl::flat_hash_map<size_t, int64_t> swapped;
  const auto at = [&](size_t i) {
    const auto found = swapped.find(i);
    return found == swapped.end() ? photos[i] : found->second;
  };
  for (size_t i = 0; i < photos.size() && negatives.size() < static_cast<size_t>(std::max(count, 0)); ++i) {
    const size_t j = i + static_cast<size_t>(random.Uniform() * static_cast<double>(photos.size() - i));
    const int64_t photo = at(j);
    swapped[j] = at(i);
    if (IsGpsNegative(dataset, pairs, query.photo, photo)) negatives.push_back(photo);
  }
  return negatives;
}

}  // namespace sightline::train
