/** English of several kinds: description, history, science, news, talk, instructions, arithmetic, code, a letter. */
export const PARAGRAPHS: ReadonlyArray<string> = [
  "The river rises in the hills north of the town and runs for about ninety miles before it reaches the sea. In spring, " +
  "when the snow melts, it often floods the meadows along its lower course, and the farmers there build their houses on " +
  "low mounds of earth. By late summer a child can wade across it without getting wet above the knees.",
  "Before the railway came, the journey from the capital to the coast took four days by coach. The first line was opened " +
  "in 1847 after six years of work, and within a decade the old inns along the road had lost most of their trade. Some " +
  "became farmhouses; others were pulled down, and their stones were used for walls and barns.",
  "Plants take in carbon dioxide through small openings in their leaves, called stomata. In the light, chlorophyll absorbs " +
  "energy, which is used to split water into hydrogen and oxygen. The oxygen is released into the air, while the hydrogen " +
  "and the carbon dioxide are combined to form sugars that feed the rest of the plant.",
  "The city council voted on Tuesday to close the main square to private cars from next April. Shop owners had warned that " +
  "fewer customers would come, but a trial last autumn showed the opposite: the number of visitors grew by eleven per " +
  'cent. "We will look at the figures again after one year," the mayor told reporters.',
  '"Did you lock the back door?" she asked, without turning round. He put down his cup and thought about it for a moment. ' +
  '"I thought you had done it," he said. They looked at each other, and then both of them got up at once and hurried down ' +
  "the dark hall, laughing, because the same thing had happened the night before.",
  "To make the dough, mix 500 grams of flour with a teaspoon of salt and a little yeast. Add 300 millilitres of warm water, " +
  "stir until no dry flour is left, and knead it for ten minutes. Cover the bowl with a cloth and leave it in a warm place " +
  "for an hour. When the dough has doubled in size, shape it into a loaf and bake it for forty minutes.",
  "A train leaves the station at 9:15 and travels at 80 kilometres an hour. A second train leaves the same station half an " +
  "hour later and travels in the same direction at 100 kilometres an hour. When the second train starts, the first is 40 " +
  "kilometres ahead. The gap shrinks by 20 kilometres each hour, so the second train catches up after two hours.",
  "def average(values):\n    total = 0\n    for value in values:\n        total = total + value\n    if len(values) == 0:\n" +
  "        return None\n    return total / len(values)\n\nprint(average([2, 4, 9]))  # prints 5.0",
  "Dear Mrs. Turner, thank you for your letter of 3 March. I am sorry to hear that the parcel arrived damaged. We have sent " +
  "a new one today, and you should receive it within five working days. There is no need to return the broken vase. Please " +
  "accept our apologies for the trouble. Yours sincerely, Daniel Price, Customer Service.",
  "A cold is caused by a virus, so antibiotics do not help against it. Most people feel better within a week if they rest " +
  "and drink enough. See a doctor if you have a high fever for more than three days, if breathing becomes difficult, or if " +
  "the symptoms return after you had begun to recover. Wash your hands often so that others do not catch it.",
  "The moon goes around the earth once in about twenty-seven days, and it turns on its own axis in exactly the same time. " +
  "That is why we always see the same side of it. The far side was unknown until 1959, when a spacecraft sent back the " +
  "first photographs; it has many more craters and far fewer of the dark plains that are called seas.",
  "When the old king died, he left three sons and one question. To the eldest he had promised the crown, to the second the " +
  "army, and to the youngest nothing but a small wooden box. The brothers quarrelled for a year. Then the youngest opened " +
  "the box, read the single line that was written inside, and quietly left the country before the war began.",
]
