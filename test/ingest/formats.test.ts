import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { importContent, jsonLines } from './memory-sink.js'

// The shared suite: one logical record set, written in each format, gives the same stored records.

const reviews = [
  {
    userId: 'u1',
    itemId: 'B01',
    title: 'Warm',
    text: 'Says "good",\nand is.',
    rating: 4.5,
    time: 1393545600000,
    helpful: 3,
    attributes: { verified: true },
  },
  {
    userId: '007',
    itemId: 'B02',
    title: 'Thin & cold',
    rating: 1,
    time: 1363392000000,
    helpful: 0,
    attributes: { verified: false },
  },
]

const reviewFiles: { name: string; format: string; content: string }[] = [
  {
    name: 'canonical JSON lines',
    format: 'jsonl',
    content: jsonLines(
      {
        userId: 'u1',
        itemId: 'B01',
        title: 'Warm',
        text: 'Says "good",\nand is.',
        rating: 4.5,
        time: '2014-02-28',
        helpful: 3,
        verified: true,
      },
      {
        userId: '007',
        itemId: 'B02',
        title: 'Thin &amp; cold',
        text: '',
        rating: 1,
        time: '2013-03-16T00:00:00Z',
        helpful: 0,
        verified: false,
      },
    ),
  },
  {
    name: 'CSV',
    format: 'csv',
    content:
      'user_id,item_id,title,text,rating,timestamp,helpful,verified\n' +
      'u1,B01,Warm,"Says ""good"",\nand is.",4.5,1393545600,3,true\n' +
      '007,B02,Thin &amp; cold,,1,1363392000,0,false\n',
  },
  {
    name: 'CSV with semicolons and CRLF',
    format: 'csv',
    content:
      'User ID;Item ID;Headline;Review;Stars;Date;Votes;verified\r\n' +
      'u1;B01;Warm;"Says ""good"",\r\nand is.";4.5;2014-02-28;3;TRUE\r\n' +
      '007;B02;"Thin &#38; cold";;1;2013/03/16;0;FALSE\r\n',
  },
  {
    name: 'TSV',
    format: 'tsv',
    content:
      'user\titem\ttitle\ttext\tscore\ttime\thelpful_votes\tverified\n' +
      'u1\tB01\tWarm\t"Says ""good"",\nand is."\t4.5\t1393545600000\t3\ttrue\n' +
      '007\tB02\tThin & cold\t\t1.0\t1363392000000\t0\tfalse\n',
  },
  {
    name: 'Amazon 2014/2018',
    format: 'amazon',
    content: jsonLines(
      {
        overall: 4.5,
        verified: true,
        reviewTime: '02 28, 2014',
        reviewerID: 'u1',
        asin: 'B01',
        reviewText: 'Says "good",\nand is.',
        summary: 'Warm',
        unixReviewTime: 1393545600,
        vote: '3',
      },
      {
        overall: 1,
        verified: false,
        reviewTime: '03 16, 2013',
        reviewerID: '007',
        asin: 'B02',
        summary: 'Thin &amp; cold',
        helpful: [0, 2],
        unixReviewTime: 1363392000,
      },
    ),
  },
  {
    name: 'the Kaggle CSV of Amazon 2014',
    format: 'amazon',
    content:
      'reviewerID,asin,helpful,reviewText,overall,summary,unixReviewTime,reviewTime,verified\n' +
      'u1,B01,"[3, 4]","Says ""good"",\nand is.",4.5,Warm,1393545600,"02 28, 2014",True\n' +
      '007,B02,"[0, 0]",,1.0,Thin &amp; cold,1363392000,"03 16, 2013",False\n',
  },
  {
    name: 'Amazon 2023',
    format: 'amazon',
    content: jsonLines(
      {
        rating: 4.5,
        title: 'Warm',
        text: 'Says "good",\nand is.',
        images: [],
        parent_asin: 'B01',
        user_id: 'u1',
        timestamp: 1393545600000,
        helpful_vote: 3,
        verified: true,
      },
      {
        rating: 1.0,
        title: 'Thin &amp; cold',
        text: '',
        images: [],
        parent_asin: 'B02',
        user_id: '007',
        timestamp: 1363392000000,
        helpful_vote: 0,
        verified: false,
      },
    ),
  },
]

for (const { name, format, content } of reviewFiles) {
  for (const [packing, bytes] of [
    ['plain', content],
    ['gzip', gzipSync(content)],
  ] as const) {
    test(`reviews as ${name}, ${packing}`, async () => {
      const found = await importContent('reviews', bytes)
      expect(found.rejects).toEqual([])
      expect(found.format).toBe(format)
      expect(found.sink.reviews).toEqual(reviews)
    })
  }
}

const interactions = [
  { userId: '1', itemId: '1193', value: 5, time: 978300760000 },
  { userId: '1', itemId: '661', value: 3.5, time: 978302109000 },
]

const interactionFiles: {
  name: string
  format: string
  content: string
  map?: { [field: string]: string }
}[] = [
  {
    name: 'JSON lines',
    format: 'jsonl',
    content: jsonLines(
      { user: 1, item: 1193, rating: 5, timestamp: 978300760 },
      { user: 1, item: 661, rating: 3.5, timestamp: 978302109 },
    ),
  },
  {
    name: 'CSV',
    format: 'csv',
    content: 'user_id,item_id,value,time\n1,1193,5,978300760\n1,661,3.5,978302109\n',
  },
  {
    name: 'CSV without a header',
    format: 'csv',
    content: '1,1193,5,978300760\n1,661,3.5,978302109\n',
    map: { user: '1', item: '2', rating: '3', time: '4' },
  },
  {
    name: 'MovieLens CSV',
    format: 'movielens',
    content: 'userId,movieId,rating,timestamp\r\n1,1193,5.0,978300760\r\n1,661,3.5,978302109\r\n',
  },
  { name: 'MovieLens ::', format: 'movielens', content: '1::1193::5::978300760\n1::661::3.5::978302109\n' },
  {
    name: 'MovieLens u.data',
    format: 'movielens',
    content: '1\t1193\t5\t978300760\n1\t661\t3.5\t978302109\n',
  },
  {
    name: 'RecBole',
    format: 'recbole',
    content:
      'user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t1193\t5.0\t978300760.0\n1\t661\t3.5\t978302109\n',
  },
  {
    name: 'Amazon JSON lines',
    format: 'amazon',
    content: jsonLines(
      { reviewerID: '1', asin: '1193', overall: 5, unixReviewTime: 978300760, reviewTime: '12 31, 2000' },
      { reviewerID: '1', asin: '661', overall: 3.5, unixReviewTime: 978302109 },
    ),
  },
]

for (const { name, format, content, map } of interactionFiles) {
  test(`interactions as ${name}`, async () => {
    const found = await importContent('interactions', content, { map })
    expect(found.rejects).toEqual([])
    expect(found.format).toBe(format)
    expect(found.sink.interactions).toEqual(interactions)
  })
}

const films = [
  { id: '1', title: 'Toy Story (1995)', attributes: { genres: ['Animation', "Children's"], year: 1995 } },
  { id: '11', title: 'American President, The (1995)', attributes: { genres: ['Drama'], year: 1995 } },
]

test.each([
  [
    'MovieLens CSV',
    'movielens',
    'movieId,title,genres\n1,Toy Story (1995),Animation|Children\'s\n11,"American President, The (1995)",Drama\n',
  ],
  [
    'MovieLens ::',
    'movielens',
    "1::Toy Story (1995)::Animation|Children's\n11::American President, The (1995)::Drama\n",
  ],
  [
    'RecBole',
    'recbole',
    "item_id:token\tmovie_title:token_seq\tgenres:token_seq\tyear:float\n1\tToy Story (1995)\tAnimation Children's\t1995\n11\tAmerican President, The (1995)\tDrama\t1995.0\n",
  ],
  [
    'JSON lines',
    'jsonl',
    jsonLines(
      { id: 1, name: 'Toy Story (1995)', genres: ['Animation', "Children's"], year: 1995 },
      { id: 11, title: 'American President, The (1995)', genres: ['Drama'], year: 1995 },
    ),
  ],
  [
    'CSV with JSON lists',
    'csv',
    'sku,name,genres,year\n1,Toy Story (1995),"[""Animation"",""Children\'s""]",1995\n11,"American President, The (1995)","[""Drama""]",1995\n',
  ],
])('films as %s', async (_, format, content) => {
  const found = await importContent('items', content)
  expect(found.rejects).toEqual([])
  expect(found.format).toBe(format)
  expect(found.sink.items).toEqual(films)
})

test('MovieLens: no genres are no attribute, several tags in one second stay several reviews', async () => {
  const items = await importContent('items', 'movieId,title,genres\n7,Unfilmed,(no genres listed)\n')
  expect(items.sink.items).toEqual([{ id: '7', title: 'Unfilmed' }])
  const tags = await importContent(
    'reviews',
    'userId,movieId,tag,timestamp\n2,7,funny,1445714994\n2,7,so  so,1445714994\n',
  )
  expect(tags.sink.reviews).toEqual([
    { id: '2/7/funny', userId: '2', itemId: '7', text: 'funny', time: 1445714994000 },
    { id: '2/7/so%20%20so', userId: '2', itemId: '7', text: 'so  so', time: 1445714994000 },
  ])
  const dat = await importContent('reviews', '2::7::funny::1445714994\n')
  expect(dat.sink.reviews).toEqual(tags.sink.reviews.slice(0, 1))
})

test('Amazon metadata of 2018: description and features, price, lists, nested details', async () => {
  const found = await importContent(
    'items',
    jsonLines({
      category: ['Beauty', 'Hair &amp; Skin'],
      description: ['Soft.', 'Mild.'],
      feature: ['100 ml'],
      title: 'Soap',
      also_buy: ['B02', 'B03'],
      also_view: [],
      brand: '',
      price: '$1,299.00',
      details: { 'Item Weight:': '3 ounces', UPC: '012345678905' },
      asin: 'B01',
    }),
  )
  expect(found.format).toBe('amazon')
  expect(found.sink.items).toEqual([
    {
      id: 'B01',
      title: 'Soap',
      description: 'Soft.\nMild.\n100 ml',
      attributes: {
        category: ['Beauty', 'Hair & Skin'],
        also_buy: ['B02', 'B03'],
        price: 1299,
        'details.Item Weight': '3 ounces',
        'details.UPC': '012345678905',
      },
    },
  ])
})

test('Amazon metadata of 2014: Python literals, nested categories', async () => {
  const line =
    "{'asin': 'B01', 'title': \"It's a \\\"box\\\"\", 'price': 9.99, 'imUrl': 'http://a/b.jpg', 'related': {'also_bought': ['B02'], 'viewed': None}, " +
    "'salesRank': {'Toys': 211836}, 'categories': [['Toys', 'Boxes'], ['Toys']], 'new': True, 'description': 'Caf\\xe9 \\u2013 na\\'ive\\n'}\n"
  const found = await importContent('items', line)
  expect(found.rejects).toEqual([])
  expect(found.sink.items).toEqual([
    {
      id: 'B01',
      title: 'It\'s a "box"',
      description: "Café – na'ive",
      attributes: {
        price: 9.99,
        imUrl: 'http://a/b.jpg',
        'related.also_bought': ['B02'],
        'salesRank.Toys': 211836,
        categories: ['Toys', 'Boxes'],
        new: true,
      },
    },
  ])
})

test('Amazon metadata of 2023: features join the description, nulls vanish, objects in lists are kept as JSON', async () => {
  const images = [{ thumb: 'a.jpg', hi_res: null }]
  const found = await importContent(
    'items',
    jsonLines({
      main_category: 'Toys',
      title: 'Box',
      average_rating: 4.3,
      features: ['Big', 'Red'],
      description: [],
      price: null,
      images,
      parent_asin: 'B01',
      bought_together: null,
    }),
  )
  expect(found.sink.items).toEqual([
    {
      id: 'B01',
      title: 'Box',
      description: 'Big\nRed',
      attributes: { main_category: 'Toys', average_rating: 4.3, images: JSON.stringify(images) },
    },
  ])
})

test('a 2023 review is about the parent; the variant stays as an attribute', async () => {
  const found = await importContent(
    'reviews',
    jsonLines({
      rating: 5,
      text: 'Good',
      asin: 'B01X',
      parent_asin: 'B01',
      user_id: 'u',
      timestamp: 1393545600123,
    }),
  )
  expect(found.sink.reviews).toEqual([
    {
      userId: 'u',
      itemId: 'B01',
      text: 'Good',
      rating: 5,
      time: 1393545600123,
      attributes: { asin: 'B01X' },
    },
  ])
})

test('the Amazon customer reviews TSV knows no quotes', async () => {
  const found = await importContent(
    'reviews',
    'marketplace\tcustomer_id\treview_id\tproduct_id\tproduct_parent\tstar_rating\thelpful_votes\treview_headline\treview_body\treview_date\n' +
      'US\t53096384\tR63J84G1LOX6R\t1563890119\t763187671\t4\t2\t"Great" box\tAn "open quote\t2005-07-21\n',
  )
  expect(found.format).toBe('amazon')
  expect(found.sink.reviews).toEqual([
    {
      id: 'R63J84G1LOX6R',
      userId: '53096384',
      itemId: '1563890119',
      title: '"Great" box',
      text: 'An "open quote',
      rating: 4,
      time: Date.UTC(2005, 6, 21),
      helpful: 2,
      attributes: { marketplace: 'US', product_parent: 763187671 },
    },
  ])
})

test('RecBole headers settle the type of a whole column', async () => {
  const found = await importContent(
    'items',
    'item_id:token\tcode:token\tsize:float\ttags:token_seq\n1\t12\t3\ta b\n2\t007\t\t\n',
  )
  expect(found.sink.items).toEqual([
    { id: '1', attributes: { code: '12', size: 3, tags: ['a', 'b'] } },
    { id: '2', attributes: { code: '007' } },
  ])
  const wrong = await importContent('items', 'item_id:token\tsize:float\n1\tlarge\n')
  expect(wrong.rejects).toMatchObject([
    { line: 2, field: 'size', expected: 'a number, as its header says', received: 'large' },
  ])
})
