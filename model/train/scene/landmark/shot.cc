#include "model/train/scene/landmark/shot.h"

#include <algorithm>
#include <cmath>

#include "model/train/scene/landmark/surroundings.h"

namespace sightline::scene::landmark {
namespace {

constexpr double kDegree = 3.14159265358979 / 180;
// Rays a side of the check of what is hidden, and how often a shot is tried before it is taken as it is.
constexpr int kCheckRays = 36;
constexpr int kAttempts = 12;

// What makes a shot hard or junk.
enum class Trouble { kNone, kSlant, kSmall, kClose, kHidden, kDark, kWeather, kTiny, kBuried };

Trouble ChooseTrouble(Difficulty difficulty, Random* random) {
  if (difficulty == Difficulty::kEasy) return Trouble::kNone;
  if (difficulty == Difficulty::kJunk) return random->Chance(0.5) ? Trouble::kTiny : Trouble::kBuried;
  constexpr Trouble kHardOnes[] = {Trouble::kSlant,  Trouble::kSlant,  Trouble::kSmall, Trouble::kClose,
                                   Trouble::kHidden, Trouble::kHidden, Trouble::kDark,  Trouble::kWeather};
  return kHardOnes[random->Below(8)];
}

// Half the object's extent in the picture, 1 for one that fills it.
double ChooseSize(const Model& model, Trouble trouble, Random* random) {
  switch (trouble) {
    case Trouble::kSmall: return random->Between(0.22, 0.38);
    case Trouble::kClose: return random->Between(1.3, 2.3);
    case Trouble::kTiny: return random->Between(0.03, 0.07);
    default: break;
  }
  // Heaps are looked at from near, as in shops; their edges matter less than what lies in them.
  return model.kind == ModelKind::kFruit ? random->Between(0.6, 1.5) : random->Between(0.52, 1.08);
}

Camera AimCamera(const Model& model, Trouble trouble, Random* random) {
  const bool slant = trouble == Trouble::kSlant || (trouble != Trouble::kNone && random->Chance(0.25));
  const double yaw =
      random->Sign() * (slant ? random->Between(35, model.flat ? 62 : 80) : random->Between(0, 32)) * kDegree;
  const bool street = model.habitat == Habitat::kStreet;
  const double low = street ? -14 : -8;
  const double pitch = random->Between(low, slant ? 38 : 22) * (street ? 0.6 : 1) * kDegree;
  const double size = ChooseSize(model, trouble, random);
  Camera camera;
  camera.focal = static_cast<float>(random->Between(1.3, 2.8));
  const double across = model.half.x * std::cos(yaw) + model.half.z * std::abs(std::sin(yaw));
  const double reach = std::max<double>(across, model.half.y);
  const double distance = camera.focal * reach / size + model.half.z * 0.8;
  const Vec from = {static_cast<float>(std::sin(yaw) * std::cos(pitch)), static_cast<float>(std::sin(pitch)),
                    static_cast<float>(std::cos(yaw) * std::cos(pitch))};
  const double roll = random->Between(-1, 1) * (trouble == Trouble::kNone ? 7 : 18) * kDegree;
  camera.pose.origin = from * static_cast<float>(distance);
  const Vec right = Normal(Cross({0, 1, 0}, from));
  const Vec up = Cross(from, right);
  // The object stands off the middle as far as it stays in the picture, or close views stay on it.
  const double room = size < 1 ? 0.85 * (1 - size) : 0.6 * (size - 1);
  const float shift_x = static_cast<float>(random->Between(-room, room) * distance / camera.focal);
  const float shift_y = static_cast<float>(random->Between(-room, room) * distance / camera.focal);
  const Vec target = right * shift_x + up * shift_y;
  const Vec back = Normal(camera.pose.origin - target);
  const Vec level = Normal(Cross({0, 1, 0}, back));
  const Vec above = Cross(back, level);
  camera.pose.x = level * static_cast<float>(std::cos(roll)) + above * static_cast<float>(std::sin(roll));
  camera.pose.y = above * static_cast<float>(std::cos(roll)) - level * static_cast<float>(std::sin(roll));
  camera.pose.z = back;
  return camera;
}

bool Fits(const Visibility& seen, Trouble trouble) {
  if (seen.seen == 0) return trouble == Trouble::kTiny && seen.covered == 0;
  switch (trouble) {
    case Trouble::kTiny: return true;
    case Trouble::kBuried: return seen.hidden() > 0.88 && seen.hidden() < 0.99;
    case Trouble::kHidden: return seen.hidden() > 0.3 && seen.hidden() < 0.68 && seen.share() > 0.03;
    case Trouble::kNone: return seen.hidden() < 0.15 && seen.share() > 0.1;
    default: return seen.hidden() < 0.35 && seen.share() > 0.015;
  }
}

int OccludersFor(Trouble trouble, Random* random) {
  switch (trouble) {
    case Trouble::kBuried: return 5 + random->Below(4);
    case Trouble::kHidden: return 1 + random->Below(3);
    default: return random->Chance(0.25) ? 1 : 0;
  }
}

}  // namespace

Shot MakeShot(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Difficulty difficulty,
              Random* random) {
  const Trouble trouble = ChooseTrouble(difficulty, random);
  const bool night = trouble == Trouble::kDark || (trouble == Trouble::kHidden && random->Chance(0.15));
  Shot shot;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Stage stage;
    stage.camera = AimCamera(model, trouble, random);
    Place(model, {}, 1, kInstance, &stage.solids);
    Surround(model, siblings, stock, random, &stage);
    const int occluders = OccludersFor(trouble, random);
    for (int i = 0; i < occluders; ++i)
      AddOccluder(model, stock, trouble == Trouble::kBuried ? 1.6 : 1.0, random, &stage);
    const Visibility seen = Look(stage, kCheckRays);
    const bool fits = Fits(seen, trouble);
    // The best so far is one in which the object is seen at all.
    if (fits || shot.visibility.seen == 0) {
      shot.stage = std::move(stage);
      shot.visibility = seen;
    }
    if (fits) break;
  }
  LightUp(model, stock, night, trouble == Trouble::kWeather, random, &shot.stage);
  const double strength = difficulty == Difficulty::kEasy ? random->Between(0, 0.45) : random->Between(0.1, 1);
  shot.exposure = MakeExposure(strength, night, random);
  if (trouble == Trouble::kWeather && random->Chance(0.5)) shot.exposure.rain = 60 + random->Below(240);
  return shot;
}

}  // namespace sightline::scene::landmark
